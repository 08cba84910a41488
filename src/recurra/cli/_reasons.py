"""What a prediction rests on, for people: in colours on a terminal, as plain numbers elsewhere."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

# The colours of what speaks for a prediction and against it, on white.
FOR, AGAINST = (31, 111, 180), (201, 81, 12)
# A colour is shown from this share of the largest contribution on; so many of the largest are named.
LEAST_SHARE, MOST_NAMED = 0.1, 5


def print_reason(result: dict[str, Any]) -> None:
    """result: one of ``predict``'s with ``explain``."""
    console = Console(highlight=False)
    if "attention" in result:
        lines = [Text(f"  {_attended(result)}")]
    elif "contributions" in result:
        lines = _added(result, console.is_terminal)
    else:
        lines = _tagged(result)
    for line in lines:
        console.print(line, soft_wrap=True)


def _names(result: dict[str, Any], steps: int) -> list[str]:
    """What the steps are called: their tokens, white space in quotes, or else their numbers."""
    tokens = result.get("tokens", range(1, steps + 1))
    return [name if name.isprintable() and name.strip() else repr(name) for name in map(str, tokens)]


def _attended(result: dict[str, Any]) -> str:
    """What each unit written attended to most, and its share."""
    best = [max(zip(row, result["read"], strict=True), default=(0.0, "")) for row in result["attention"]]
    return "  ".join(
        f"{unit.strip()} < {read.strip()} {share:.2f}"
        for unit, (share, read) in zip(result["units"], best, strict=True)
    )


def _added(result: dict[str, Any], in_colours: bool) -> list[Text]:
    """What each step adds, and what all of them begin with and come to."""
    added = result["contributions"]
    tokens = _names(result, len(added))
    both = list(zip(tokens, added, strict=True))
    largest = sorted(both, key=lambda pair: -abs(pair[1]))[:MOST_NAMED] if in_colours else both
    named = Text("".join(f"  {token} {one:+.3g}" for token, one in largest))
    whole = Text(f"  from {result['baseline']:+.3g}, of as many steps that say nothing, to {result['score']:+.3g}")
    return [*[_coloured(tokens, added)] * in_colours, named, whole] if added else [whole]


def _coloured(tokens: Sequence[str], contributions: Sequence[float]) -> Text:
    """Each token, the stronger its colour the more it adds."""
    most = max(map(abs, contributions)) or 1.0
    pieces = [Text(token, _style(added / most)) for token, added in zip(tokens, contributions, strict=True)]
    return Text("  ") + Text(" ").join(pieces)


def _style(share: float) -> str:
    """share: from -1 to 1."""
    if abs(share) < LEAST_SHARE:
        return ""
    ink = FOR if share > 0 else AGAINST
    red, green, blue = (round(255 - abs(share) * (255 - part) * 0.8) for part in ink)
    return f"black on rgb({red},{green},{blue})"


def _tagged(result: dict[str, Any]) -> list[Text]:
    """A line a step: its number or token, its tag and the likeliest others, with probabilities."""
    tokens = _names(result, len(result["tags"]))
    width = [max(map(len, column), default=0) for column in (tokens, result["tags"])]
    lines = []
    for token, tag, share, others in zip(
        tokens, result["tags"], result["probabilities"], result["others"], strict=True
    ):
        rest = "  ".join(f"{other['tag']} {other['probability']:.3f}" for other in others)
        sure = "" if tag == "O" else "bold"
        lines.append(
            Text.assemble("  ", (f"{token:{width[0]}}  {tag:{width[1]}}", sure), f"  {share:.3f}", (f"  {rest}", "dim"))
        )
    return lines
