"""What predictions rest on, token by token, as a report shows it."""

from collections import Counter
from typing import Any

from recurra.report import words

Explained = dict[str, Any]

# What is fainter than this share of a row's largest contribution has no colour.
LEAST_SHARE = 0.05
HUES = 6

OF_LABELS = (
    "Rows whose label is right, then the wrong ones it was surest of. Each token's colour says what it adds to the "
    "log-odds of the label that was read, compared with a text of as many empty tokens (integrated gradients); the "
    "deepest is the row's largest. Point at a token for its number, in nats."
)
OF_NUMBERS = (
    "The rows with the smallest errors, then those with the largest. Each token's colour says what it adds to the "
    "number, compared with a text of as many empty tokens (integrated gradients); the deepest is the row's largest. "
    "Point at a token for its number."
)
OF_TAGS = (
    "Rows without a wrong tag, then those with the most. The fainter a colour, the less sure it was; of a span its "
    "least sure token counts. Point at a token for its tag's probability, and for the likeliest others."
)


def contributions(rows: list[Explained], config: dict[str, Any]) -> dict[str, Any] | None:
    """Texts whose tokens are coloured by what they add to the answer; None where there are none."""
    rows = [row for row in rows if "contributions" in row]
    if not rows:
        return None
    numbers = "number" in rows[0]
    return {
        "note": OF_NUMBERS if numbers else OF_LABELS,
        "legend": ("adds to it", "takes from it") if numbers else ("speaks for the label", "speaks against it"),
        "rows": [_coloured(row, _gap(config)) for row in rows],
    }


def _coloured(row: Explained, gap: str) -> dict[str, Any]:
    added = row["contributions"]
    most = max(map(abs, added))
    tokens = [
        {
            "text": token,
            "title": f"{one:+.3g}",
            "way": "" if abs(one) <= LEAST_SHARE * most else "for" if one > 0 else "against",
            "share": abs(one) / (most or 1),
            "gap": gap,
        }
        for token, one in zip(row["tokens"], added, strict=True)
    ]
    if "number" in row:
        said = f"predicted {words.number(row['number'])}, is {words.number(row['wanted'])}"
    else:
        right = "rightly" if row["label"] == row["wanted"] else f"but is {row['wanted']}"
        said = f"read as {row['label']} with probability {row['probability']:.3f}, {right}"
    return {"said": f"{said}; largest contribution {max(added, key=abs):+.3g}", "tokens": tokens}


def tagged(rows: list[Explained], config: dict[str, Any]) -> dict[str, Any] | None:
    """Texts whose spans are coloured by kind; below a wrong one what it should be. None where there are none."""
    rows = [row for row in rows if "tags" in row]
    if not rows:
        return None
    found = [row["spans"] if "spans" in row else _single(row) for row in rows]
    kinds = Counter(span["kind"] for spans in found for span in spans)
    hues = {kind: i % HUES for i, (kind, _) in enumerate(kinds.most_common())}
    shown = []
    for row, spans in zip(rows, found, strict=True):
        texts = [("found", _pieces(row, spans, hues, _gap(config)))]
        if [_place(span) for span in spans] != [_place(span) for span in row["wanted"]]:
            texts.append(("should be", _pieces(row, row["wanted"], hues, _gap(config))))
        shown.append(texts)
    return {"note": OF_TAGS, "rows": shown}


def _single(row: Explained) -> list[dict[str, Any]]:
    """Tags that stand for themselves as spans of one token."""
    return [
        {"kind": tag, "start": i, "end": i + 1, "probability": share}
        for i, (tag, share) in enumerate(zip(row["tags"], row["probabilities"], strict=True))
    ]


def _place(span: dict[str, Any]) -> tuple[Any, ...]:
    return span["kind"], span["start"], span["end"]


def _pieces(row: Explained, spans: list[dict[str, Any]], hues: dict[str, int], gap: str) -> list[dict[str, Any]]:
    """The text as spans and what is between them, which has no kind."""
    tokens = [
        {"text": token, "title": title, "gap": gap} for token, title in zip(row["tokens"], _titles(row), strict=True)
    ]
    pieces, done = [], 0
    for span in [*spans, {"kind": "", "start": len(tokens), "end": len(tokens)}]:
        if done < span["start"]:
            pieces.append({"kind": "", "tokens": tokens[done : span["start"]], "gap": gap})
        if span["kind"]:
            look = {"hue": hues.get(span["kind"], len(hues) % HUES), "share": span.get("probability", 1.0), "gap": gap}
            pieces.append({"kind": span["kind"], "tokens": tokens[span["start"] : span["end"]], **look})
        done = span["end"]
    return pieces


def _titles(row: Explained) -> list[str]:
    """Of each token its tag and the likeliest others, with probabilities."""
    return [
        f"{tag} {share:.3f}; " + ", ".join(f"{other['tag']} {other['probability']:.3f}" for other in others)
        for tag, share, others in zip(row["tags"], row["probabilities"], row["others"], strict=True)
    ]


def _gap(config: dict[str, Any]) -> str:
    """What stands between two tokens; units that a text is made of by themselves hold their white space."""
    return "" if config.get("modality", {}).get("unit") in ("char", "bpe") else " "
