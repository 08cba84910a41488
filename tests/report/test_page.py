"""The page of a run folder: whole, alone, safe against its data, and honest about how far the training got."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from recurra import report
from recurra.errors import MissingFileError, RunError

VOID = {"meta", "br", "hr", "img", "input", "link", "wbr", "source", "area", "base", "col", "embed", "track"}
HOSTILE = """</pre></title>"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;{{ 7 * 7 }}"""

Event = dict[str, Any]


class Page(HTMLParser):
    """A page's elements and texts; fails where a tag is not closed, or closed twice."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> at {self.getpos()} closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.pieces).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def start(task: str, **changes: Any) -> Event:
    data = {
        "name": "reviews.csv",
        "rows": {"train": 480, "valid": 60, "test": 61},
        "tokens": {"train": 12345},
        "columns": {"text": "review"},
        "notes": ["reviews.csv: 10 % for valid and 10 % for test cut from 601 rows"],
        "fingerprint": "0123456789abcdef",
    }
    return {
        "event": "start",
        "time": "2031-02-03T04:05:06+00:00",
        "task": task,
        "command": f"recurra train {task} reviews.csv --out runs/reviews",
        "seed": 7,
        "parameters": 123456,
        "hardware": {"cpu": "A Processor", "cores": 2, "threads": 2, "memory_gb": 8.2, "device": "cpu"},
        "versions": {"recurra": "0.1.0", "torch": "2.13.0", "python": "3.12.0"},
        "data": {**data, **changes.pop("data", {})},
        **changes,
    }


def steps(count: int, every: int = 20) -> list[Event]:
    return [
        {
            "event": "step",
            "step": i * every,
            "epoch": i / 10,
            "tokens": i * every * 2048,
            "seconds": i * 2.5,
            "loss": 4.0 / (1 + i / 20),
            "grad_norm": 0.9,
            "grad_norm_max": 1.7,
            "clipped": 0.25,
            "rate": 3e-3 * (1 - i / (count + 1)),
            "tokens_per_second": 16384.0 + i,
        }
        for i in range(1, count + 1)
    ]


def valid(step: int, metrics: dict[str, float], best: bool = True) -> Event:
    return {"event": "valid", "step": step, "epoch": step / 200, "seconds": step / 8, "metrics": metrics, "best": best}


def end(step: int, reason: str = "epochs") -> Event:
    where = {"step": step, "epoch": step / 200, "seconds": step / 8}
    return {"event": "end", "reason": reason, **where, "best_step": step, "clipped": 0.25}


def evaluation(metrics: dict[str, float], details: dict[str, Any], split: str = "test") -> Event:
    return {"event": "evaluation", "data": "reviews.csv", "split": split, "metrics": metrics, "details": details}


def language(nats: float) -> dict[str, float]:
    return {"nats_per_token": nats, "bits_per_token": nats / 0.6931, "perplexity": 2.718281828**nats}


def category(accuracy: float) -> dict[str, float]:
    return {"accuracy": accuracy, "macro_f1": accuracy - 0.05, "nats": 1 - accuracy}


def samples(prompt: str = "The ", text: str = "cat sat on the mat\n  and so on") -> dict[str, Any]:
    return {"samples": [{"prompt": prompt, "text": text, "temperature": t} for t in (0.5, 0.8)]}


def confusion(labels: list[str], text: str = "not bad at all") -> dict[str, Any]:
    counts = [[11 if i == j else (i + j) % 3 for j in range(len(labels))] for i in range(len(labels))]
    wrong = {"text": text, "label": labels[0], "predicted": labels[1], "probability": 0.987}
    return {"labels": labels, "confusion": counts, "most_wrong": [wrong]}


def label_reasons(token: str = "dull") -> list[dict[str, Any]]:
    """A label that is right and one that is wrong, each with a token that says nothing."""
    found = {
        "label": "up",
        "probability": 0.9,
        "probabilities": {"down": 0.1, "up": 0.9},
        "score": 2.2,
        "baseline": 1.0,
    }
    right = {**found, "tokens": ["a", "fine", token], "contributions": [0.001, 1.6, -0.4], "wanted": "up"}
    return [right, {**right, "contributions": [0.0, 0.0, 0.0], "wanted": "down"}]


def number_reasons(token: str = "late") -> list[dict[str, Any]]:
    tokens = {"tokens": [token, "train"], "contributions": [7.5, -2.0]}
    return [{"number": 12.5, "score": 12.5, "baseline": 7.0, **tokens, "wanted": 120.0}]


def tag_reasons(token: str = "Peter") -> list[dict[str, Any]]:
    """A span that is found, and one that is missed."""
    others = [[{"tag": "I-PER", "probability": 0.0625}]] * 4
    tags = {"tags": ["B-PER", "I-PER", "O", "O"], "probabilities": [0.9, 0.5, 0.8, 0.7], "others": others}
    span = {"kind": "PER", "start": 0, "end": 2}
    wanted = [span, {"kind": "LOC", "start": 3, "end": 4}]
    spans = [{**span, "probability": 0.5}]
    return [{"tokens": [token, "Blackburn", "in", "Rome"], **tags, "spans": spans, "wanted": wanted}]


def translation(text: str = "Ein Mann schläft") -> dict[str, Any]:
    shares = [[0.9, 0.05, 0.05], [0.1, 0.7, 0.2]]
    drawn = {"text": text, "read": [text, " Mann", "\u0645\u0631"], "units": ["A", text], "attention": shares}
    drawn["wanted"] = "A man sleeps"
    return {"examples": [{"text": text, "wanted": "A man sleeps", "written": text}], "explained": [drawn]}


def translator(text: str = "Ein Mann schläft") -> list[Event]:
    metrics = {"bleu": 33.3, "exact": 0.1, "nats_per_token": 1.2, "perplexity": 3.32}
    ended = [valid(1000, metrics), end(1000), evaluation(metrics, translation(text))]
    return [start("translation", data={"columns": {"text": "de", "target": "en"}}), *steps(50), *ended]


def writer() -> list[Event]:
    return [
        start("language-model"),
        *steps(30),
        valid(200, language(1.9)),
        valid(400, language(1.6)),
        valid(600, language(1.7), best=False),
        end(600),
        evaluation(language(1.625), samples()),
    ]


def classifier(labels: list[str] | None = None) -> list[Event]:
    details = confusion(labels or ["down", "up"])
    return [
        start("sentiment", data={"columns": {"text": "review", "label": "stars"}}),
        *steps(10),
        valid(100, category(0.7)),
        valid(200, category(0.8125)),
        end(200, "early stopping"),
        evaluation(category(0.8), {**details, "explained": label_reasons()}),
    ]


def tagger(token: str = "Peter") -> list[Event]:
    metrics = {"f1": 0.5, "precision": 0.5, "recall": 0.5, "accuracy": 0.75, "nats_per_token": 0.4}
    kinds = [{"kind": "PER", "true": 1200, "predicted": 3, "f1": 0.5, "precision": 0.25, "recall": 0.125}]
    ended = [valid(100, metrics), end(100), evaluation(metrics, {"spans": kinds, "explained": tag_reasons(token)})]
    return [start("ner", data={"columns": {"text": "tokens", "tags": "ner_tags"}}), *steps(5), *ended]


def estimator(text: str = "3 steps: 0 1 2") -> list[Event]:
    metrics = {"mae": 30.0, "rmse": 41.5, "mse": 1722.25, "nats": 5.1, "coverage": 0.91}
    worst = {"largest_errors": [{"text": text, "number": 120.0, "predicted": 12.5}], "explained": number_reasons()}
    worst["agreement"] = {"wanted": [120.0, 3.0], "said": [12.5, 3.0]}
    return [
        start("regression"),
        *steps(10),
        valid(100, metrics),
        valid(200, metrics),
        end(200),
        evaluation(metrics, worst),
    ]


def without(detail: str, events: list[Event]) -> list[Event]:
    del events[-1]["details"][detail]
    return events


def finder(text: str = "salt water") -> list[Event]:
    metrics = {"map": 0.5, "mrr": 0.6, "recall_1": 0.4, "nats": 2.1}
    found = [{"text": "four wheels", "right": False}, {"text": text, "right": True}]
    ended = [
        valid(100, metrics),
        end(100),
        evaluation(metrics, {"asked": [{"asked": "sea", "found": found, "place": 2}]}),
    ]
    return [start("search"), *steps(5), *ended]


def run_folder(folder: Path, events: list[Event], **changes: Any) -> Path:
    task = events[0]["task"]
    config = {
        "format": 1,
        "task": task,
        "seed": 7,
        "input": "text",
        "output": "next" if task == "language-model" else "category",
        "data": {"source": "reviews.csv"},
        "modality": {"unit": "char"},
        "trunk": {"cell": "lstm", "layers": 2, "hidden": 48, "dropout": 0.3, "bidirectional": task == "sentiment"},
        "head": {},
        "training": {
            "epochs": 20, "minutes": 0.0, "batch_tokens": 2048, "optimizer": "adamw", "rate": 0.003,
            "schedule": "cosine", "weight_decay": 0.01, "clip_norm": 1.0, "clip_value": 0.0,
        },
        **changes,
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(tomli_w.dumps(config), encoding="utf-8")
    lines = "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in events)
    (folder / "metrics.jsonl").write_text(lines, encoding="utf-8")
    return folder


def built(folder: Path) -> tuple[str, Page]:
    path = report.build(folder)
    assert path == folder / "report.html"
    html = path.read_text(encoding="utf-8")
    return html, Page(html)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "a run"


def test_a_language_model(folder):
    html, page = built(run_folder(folder, writer()))
    assert html.startswith("<!doctype html>") or html.startswith("<!DOCTYPE html>")
    assert "Language model on reviews.csv" in page.text
    assert "Test set of reviews.csv" in page.text
    assert "1.625" in page.text  # the test's figure
    assert "1.6" in page.text  # beside the best validation's, not the last one's
    assert "2 LSTM layers of 48 units, 123,456 parameters. 600 steps (3 epochs, 1,228,800 tokens) in 1 min 15 s." in (
        page.text
    )
    assert "Clipped in 25 % of the steps." in page.text
    assert "recurra train language-model reviews.csv --out runs/reviews" in page.text
    assert "480 train, 60 valid, 61 test" in page.text
    assert "A Processor" in page.text
    assert "cut from 601 rows" in page.text
    assert "<b>The </b>cat sat on the mat\n  and so on" in html  # with its line end and white space
    assert "What it confuses" not in page.text
    assert page.count("svg") >= 4


def test_a_classifier(folder):
    _, page = built(run_folder(folder, classifier()))
    assert "Sentiment on reviews.csv" in page.text
    assert "bidirectional LSTM layers" in page.text
    assert "What it confuses" in page.text
    assert "Where it was most wrong" in page.text
    assert "not bad at all" in page.text
    assert "0.987" in page.text
    assert "stopped early" in page.text
    assert "label from stars" in page.text
    assert "What it writes" not in page.text


def test_a_translation_shows_what_it_wrote_and_what_it_attended_to(folder):
    html, page = built(run_folder(folder, translator()))
    assert "Translation on reviews.csv" in page.text
    assert "33.3" in page.text
    for heading in ("What it writes", "What it attends to"):
        assert heading in page.text
    assert "A man sleeps" in page.text
    # A square for each pair of units, with its share in words.
    assert html.count("<rect") - html.count('fill-opacity="0.90"') >= 5
    assert "<title>0.70</title>" in html
    assert 'fill="var(--train)"' in html


def test_texts_of_the_first_run_folders_are_drawn_too(folder):
    events = translator()
    details = events[-1]["details"]
    details["attention"] = [
        {key: row[key] for key in ("read", "units", "attention")} for row in details.pop("explained")
    ]
    assert built(run_folder(folder, events))[0] == built(run_folder(folder, translator()))[0]


def spans(page: Page) -> list[dict[str, str | None]]:
    """The attributes of all tokens that have a title."""
    return [attributes for tag, attributes in page.elements if tag == "span" and "title" in attributes]


def test_tokens_are_coloured_by_what_they_add_to_a_label(folder):
    _, page = built(run_folder(folder, classifier()))
    assert "read as up with probability 0.900, rightly; largest contribution +1.6" in page.text
    assert "read as up with probability 0.900, but is down" in page.text
    nothing, most, against, *wrong = spans(page)
    assert nothing == {"title": "+0.001"}
    assert most == {"class": "for", "style": "--share: 1.00", "title": "+1.6"}
    assert against == {"class": "against", "style": "--share: 0.25", "title": "-0.4"}
    assert wrong == [{"title": "+0"}] * 3
    assert "a fine dull" in page.text


def test_tokens_are_coloured_by_what_they_add_to_a_number(folder):
    _, page = built(run_folder(folder, estimator()))
    assert "predicted 12.5, is 120; largest contribution +7.5" in page.text
    assert [attributes["class"] for attributes in spans(page)] == ["for", "against"]


def test_spans_are_coloured_by_kind_and_a_wrong_text_says_what_it_should_be(folder):
    html, page = built(run_folder(folder, tagger()))
    marks = [attributes for tag, attributes in page.elements if tag == "mark"]
    assert [mark["style"] for mark in marks] == ["--share: 0.50", "--share: 1.00", "--share: 1.00"]
    assert [mark["class"] for mark in marks] == ["kind-0", "kind-0", "kind-1"]
    assert "found Peter Blackburn PER in Rome should be Peter Blackburn PER in Rome LOC" in page.text
    assert 'title="B-PER 0.900; I-PER 0.062"' in html
    for cell in ("PER", "0.500", "0.250", "0.125", "1,200", "3"):
        assert f">{cell}</td>" in html


@pytest.mark.parametrize("unit", ["char", "word"])
def test_tags_that_stand_for_themselves_are_shown_one_by_one(folder, unit):
    (row,) = tag_reasons("x\ny")
    row["wanted"] = [{"kind": tag, "start": i, "end": i + 1} for i, tag in enumerate(row["tags"])]
    del row["spans"]
    events = tagger()
    events[-1]["details"]["explained"] = [row]
    html, page = built(run_folder(folder, events, modality={"unit": unit}))
    assert page.count("mark") == 4
    assert "should be" not in page.text
    assert ("</mark> <mark" in html) == (unit == "word")


def test_a_regression_draws_its_errors_and_names_the_largest(folder):
    html, page = built(run_folder(folder, estimator()))
    assert "Regression on reviews.csv" in page.text
    assert "rmse" in html.split("<h3>Validation</h3>")[1].split("</figcaption>")[0]
    assert "The largest errors." in page.text
    for cell in ("3 steps: 0 1 2", "120", "12.5"):
        assert f">{cell}</td>" in html
    assert page.count("svg") == built(run_folder(folder, without("agreement", estimator())))[1].count("svg") + 1


def test_a_search_shows_what_texts_find_and_what_of_it_is_right(folder):
    html, page = built(run_folder(folder, finder()))
    assert "What it finds" in page.text
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html.split("What it finds")[1].split("</table>")[0])
    assert cells == ["sea", "four wheels", "✓ salt water", "", "2"]


@pytest.mark.parametrize(
    "events",
    [writer(), classifier(), translator(), estimator(), tagger(), finder()],
    ids=["language-model", "sentiment", "translation", "regression", "ner", "search"],
)
def test_the_page_needs_nothing_but_itself(folder, events):
    html, page = built(run_folder(folder, events))
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed")
        assert tag != "script" or "src" not in attributes
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    style = "".join(re.findall(r"<style.*?</style>", html, re.DOTALL))
    assert "@import" not in style
    assert not re.search(r"url\((?!['\"]?(#|data:))", style)


def test_ids_are_unique(folder):
    _, page = built(run_folder(folder, writer()))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_same_run_gives_the_same_page(folder):
    first, _ = built(run_folder(folder, writer()))
    second, _ = built(folder)
    assert first == second


def hostile_writer() -> list[Event]:
    data = {"name": HOSTILE, "columns": {"text": HOSTILE}, "notes": [HOSTILE]}
    hardware = {"cpu": HOSTILE, "cores": 2, "threads": 2, "memory_gb": 8.2, "device": HOSTILE}
    first = start("language-model", data=data, command=HOSTILE, hardware=hardware)
    last = {**evaluation(language(1.5), samples(HOSTILE, HOSTILE)), "data": HOSTILE}
    return [first, *writer()[1:-1], last]


@pytest.mark.parametrize(
    "events",
    [
        hostile_writer(),
        [*classifier()[:-1], evaluation(category(0.8), confusion([HOSTILE, "up"], HOSTILE))],
        [*classifier()[:-1], evaluation(category(0.8), {"explained": label_reasons(HOSTILE)})],
        tagger(HOSTILE),
        translator(HOSTILE),
        finder(HOSTILE),
    ],
    ids=["language-model", "sentiment", "contributions", "ner", "translation", "search"],
)
def test_data_stay_text(folder, events):
    _, harmless = built(run_folder(folder, classifier() if events[0]["task"] == "sentiment" else writer()))
    html, page = built(run_folder(folder, events, data={"source": HOSTILE}))
    assert page.count("script") == harmless.count("script")
    assert page.count("img") == 0
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "<script>alert" not in html
    assert " ".join(HOSTILE.split()) in page.text
    assert "{{ 7 * 7 }}" in html


def test_control_and_foreign_characters_are_kept(folder):
    strange = "bell:\x07 bidi:\u202e emoji:\U0001f3ac end"
    _, page = built(run_folder(folder, [*writer()[:-1], evaluation(language(1.5), samples(text=strange))]))
    assert strange in page.text


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85"])
def test_characters_that_python_takes_for_line_ends(folder, character):
    text = f"one{character}two"
    html, _ = built(run_folder(folder, [*writer()[:-1], evaluation(language(1.5), samples(text=text))]))
    assert text in html


def test_a_training_that_still_runs_or_was_killed(folder):
    _, page = built(run_folder(folder, writer()[:-2]))
    assert "still runs, or was stopped by force" in page.text
    assert f"recurra train language-model --out {folder} --resume" in page.text
    assert "Best validation so far" in page.text
    assert "Clipped in 25 % of the steps." in page.text
    assert "What it writes" not in page.text


def test_an_interrupted_training(folder):
    events = [e for e in writer() if e["event"] != "evaluation"]
    _, page = built(run_folder(folder, [*events[:-1], end(600, "interrupted")]))
    assert "The training was interrupted." in page.text
    assert "--resume" in page.text


def test_a_training_that_went_on_after_its_end_is_not_over(folder):
    more = {**steps(40)[-1]}
    _, page = built(run_folder(folder, [*writer(), more]))
    assert "still runs" in page.text
    assert "Test set of" not in page.text


def test_a_training_that_diverged(folder):
    broken = {**steps(31)[-1], "loss": float("nan"), "grad_norm": float("nan"), "grad_norm_max": float("inf")}
    events = [*writer()[:31], valid(600, language(1.7)), broken, end(620, "diverged")]
    _, page = built(run_folder(folder, events))
    assert "no longer a number" in page.text


@pytest.mark.parametrize("count", [0, 1])
def test_before_the_first_validation(folder, count):
    _, page = built(run_folder(folder, [start("sentiment"), *steps(count)]))
    assert "Sentiment on reviews.csv" in page.text
    assert ("No step was logged." in page.text) == (count == 0)


def test_a_last_line_that_was_cut_off(folder):
    run_folder(folder, writer())
    whole = (folder / "metrics.jsonl").read_text(encoding="utf-8")
    cut = whole.rstrip("\n").rindex("\n") + 40
    (folder / "metrics.jsonl").write_text(whole[:cut], encoding="utf-8")
    _, page = built(folder)
    assert "Best validation so far" in page.text  # the evaluation was the line that was lost
    assert "all epochs done" in page.text


@pytest.mark.parametrize(
    ("labels", "numbers", "matrix", "worst"),
    [(2, True, True, False), (12, True, True, False), (13, False, True, True), (60, False, True, True),
     (61, False, False, True)],
)  # fmt: skip
def test_many_classes(folder, labels, numbers, matrix, worst):
    html, page = built(run_folder(folder, classifier([f"label {i}" for i in range(labels)])))
    cells = sum(tag == "td" and "--share" in (attributes.get("style") or "") for tag, attributes in page.elements)
    assert cells == (labels**2 if matrix else 0)
    assert ("The most frequent confusions" in page.text) == worst
    assert ('class="total"' in html) == numbers


def test_a_run_without_command_says_so(folder):
    _, page = built(run_folder(folder, [start("language-model", command=""), *writer()[1:]]))
    assert "started from Python" in page.text


def one_line(error: pytest.ExceptionInfo[Exception], *words: str) -> None:
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_no_such_folder(tmp_path):
    with pytest.raises(MissingFileError) as error:
        report.build(tmp_path / "none")
    one_line(error, "none", "no such run folder")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError) as error:
        report.build(tmp_path)
    one_line(error, "not a run folder")


def test_a_run_without_metrics(folder):
    (run_folder(folder, writer()) / "metrics.jsonl").unlink()
    with pytest.raises(RunError) as error:
        report.build(folder)
    one_line(error, "metrics.jsonl", "cannot be read")
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no start"),
        ('{"event": "step"}\n', "no start"),
        ('{"event": "start"', "no start"),
        ('nonsense\n{"event": "start"}\n', "line 1"),
        ("[1, 2]\n", "line 1"),
        ("{}\n", "line 1"),
    ],
)
def test_damaged_metrics(folder, content, says):
    (run_folder(folder, writer()) / "metrics.jsonl").write_text(content)
    with pytest.raises(RunError) as error:
        report.build(folder)
    one_line(error, "metrics.jsonl", says)
    assert not (folder / "report.html").exists()


def test_a_run_from_a_newer_version(folder):
    run_folder(folder, writer(), format=99)
    with pytest.raises(RunError) as error:
        report.build(folder)
    one_line(error, "newer Recurra")


def test_an_old_page_stays_where_the_new_one_fails(folder):
    html, _ = built(run_folder(folder, writer()))
    (folder / "metrics.jsonl").write_text("nonsense\n")
    with pytest.raises(RunError):
        report.build(folder)
    assert (folder / "report.html").read_text(encoding="utf-8") == html


def test_how_far_gradients_reach_is_drawn_and_said(folder):
    events = writer()
    plain = {"name": "0", "cell": "rnn_tanh", "flow": [1.0, 0.3, 0.1, 0.0], "memory": 1.0, "saturated": {"h": 0.75}}
    gated = {"name": "1", "cell": "lstm", "flow": [1.0, 0.9, 0.8, 0.7], "memory": None, "saturated": {"f": 0.25}}
    before = built(run_folder(folder, events))[1]
    events[-1]["details"]["health"] = [plain, gated]
    page = built(run_folder(folder, events))[1]
    assert "How far gradients reach back" not in before.text
    assert "layer 0: down to 1/e after 1 steps, mostly saturated: h 75%" in page.text
    assert "layer 1: down to 1/e after more than 3 steps" in page.text
    assert "f 25%" not in page.text
    assert page.count("svg") == before.count("svg") + 1
