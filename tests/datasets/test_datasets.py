"""Every registered data set is what it says, as far as its files are at hand."""

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import chain
from pathlib import Path

import pandas as pd
import pytest

from recurra.arrays import identity
from recurra.config import override
from recurra.datasets import DATASETS, DataConfig, Dataset, Splits, load
from recurra.heads import HEADS
from recurra.heads._schemes import spans_of
from recurra.modalities import MODALITIES
from recurra.modalities.text import Text, TextConfig
from recurra.runs.config import changed, defaults
from recurra.runs.fingerprint import fingerprint
from recurra.runs.run import load_splits
from recurra.tasks import TASKS

RUNNING = "language-model"

# Rows of train, valid and test; by the publishers' counts where there are some, the rest follows from them.
ROWS = {
    "basic-motions": (36, 4, 40),
    "airline": (60, 13, 25),
    "ett": (8_596, 2_863, 19_999),
    "m4-hourly": (9_581, 659, 414),
    "min-temperatures": (2_184, 360, 724),
    "pm25": (8_431, 2_913, 365),
    "seattle-temperature": (717, 359, 359),
    "sp500": (2_761, 1_254, 1_002),
    "sunspots": (2_016, 289, 469),
    "cranfield": (9_267, 1_398, 2_180),
    "adding": (10_000, 1_000, 1_000),
    "conll2000": (8_042, 894, 2_012),
    "conll2003": (14_041, 3_250, 3_453),
    "copy-memory": (5_000, 200, 500),
    "dna-splice": (1_800, 200, 1_186),
    "gun-point": (45, 5, 150),
    "hapt": (6_073, 1_342, 2_996),
    "italy-power-demand": (60, 7, 1_029),
    "japanese-vowels": (243, 27, 370),
    "digits": (1_437, 180, 180),
    "imdb": (18_000, 2_000, 5_000),
    "mr-polarity": (8_530, 1_066, 1_066),
    "nab": (52, 6, 58),
    "multi30k": (29_000, 1_014, 1_000),
    "parity": (20_000, 1_000, 1_000),
    "pickup-gesture-wiimote-z": (45, 5, 50),
    "ptb": (1, 1, 1),
    "pydoc": (1, 1, 1),
    "pyhelp": (675, 225, 225),
    "reading-frames": (4_000, 200, 400),
    "sick": (4_500, 500, 4_927),
    "signals": (240, 30, 90),
    "sst2": (6_920, 872, 1_821),
    "tinyshakespeare": (1, 1, 1),
    "trec-qc": (4_907, 545, 500),
    "wikitext2": (1, 1, 1),
    "wnut17": (3_394, 1_009, 1_287),
}


@pytest.fixture(params=DATASETS.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def loaded(name: str, label: str = "label", test_fraction: float = 0.1, fresh: int = 0) -> Splits:
    """The data set's parts; ``fresh`` only sets one reading apart from another."""
    dataset: Dataset = DATASETS.get(name)
    folder = os.environ.get("RECURRA_DATA")
    for file in dataset.files.values():
        if not folder or not (Path(folder) / file.path).is_file():
            pytest.skip(f"{file.path} is not at hand: RECURRA_DATA is {'without it' if folder else 'not set'}")
    config = DataConfig(source=name, test_fraction=test_fraction)
    task = TASKS.get(dataset.task)
    head = HEADS.get(task.output)
    if "label" in task.roles:
        config = replace(config, columns={"label": label})
    if MODALITIES.get(task.input).timed:
        return load_splits(changed(defaults(task), {"data.source": name}))
    lacking = {"optional": head.optional, "gaps": head.gaps}
    return load(config, task.roles, running=dataset.task == RUNNING, familiar=task.columns, **lacking)


def test_it_describes_itself(name: str) -> None:
    dataset: Dataset = DATASETS.get(name)
    assert dataset.name.replace("_", "-") == name
    for sentence in (dataset.summary, dataset.size, dataset.task, dataset.licence, dataset.source):
        assert sentence
        assert "\n" not in sentence
    for file in dataset.files.values():
        assert "/" in file.path
        assert not file.url or file.url.startswith("https://")
        # The hash is of the content: what is served compressed has another.
        assert file.url_hash or not re.search(r"\.(xz|gz|bz2)$", file.url)
        for checksum in filter(None, (file.hash, file.url_hash)):
            kind, _, digits = checksum.partition(":")
            assert re.fullmatch("[0-9a-f]+", digits)
            assert len(digits) == {"sha256": 64, "sha1": 40, "md5": 32}[kind]
    for task in (t for t in TASKS.all().values() if t.name == dataset.task):
        override(defaults(task), dict(dataset.defaults))


def test_it_has_the_rows_that_it_should(name: str) -> None:
    splits = loaded(name)
    assert splits.test is not None
    assert (len(splits.train), len(splits.valid), len(splits.test)) == ROWS[name]
    for frame in (splits.train, splits.valid, splits.test):
        assert frame.notna().to_numpy().all()
        assert set(frame.columns) <= set(splits.columns)
    assert not any("rows left out" in note or "guessed" in note for note in splits.notes)


def test_it_is_the_same_every_time(name: str) -> None:
    one, two = loaded(name), loaded(name, fresh=1)
    assert one.test is not None
    assert two.test is not None
    for a, b in ((one.train, two.train), (one.valid, two.valid), (one.test, two.test)):
        assert fingerprint(a) == fingerprint(b)


def test_what_was_cut_off_shares_no_input_with_training(name: str) -> None:
    splits = loaded(name)
    cut_off = [part for part in ("valid", "test") if any(f"% for {part}" in note for note in splits.notes)]
    for part in cut_off:
        inputs, known = (map(identity, frame.iloc[:, 0]) for frame in (getattr(splits, part), splits.train))
        assert set(inputs).isdisjoint(known)


def test_listing_all_imports_nothing_heavy() -> None:
    code = (
        "import sys; from recurra.datasets import DATASETS; DATASETS.all();"
        "print([m for m in ('torch', 'pandas', 'numpy', 'pooch', 'rich') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "tokens", "types"),
    [("ptb", (929_589, 73_760, 82_430), 10_000), ("wikitext2", (2_088_628, 217_646, 245_569), 33_278)],
)
def test_word_counts_are_the_published_ones(name: str, tokens: tuple[int, int, int], types: int) -> None:
    splits = loaded(name)
    assert splits.test is not None
    assert splits.defaults["modality.unit"] == "space"
    text = Text.fit(TextConfig(unit="space"), splits.train["text"], running=True)
    assert text.size == types
    encoded = [text.encode_counted(frame["text"]) for frame in (splits.train, splits.valid, splits.test)]
    assert tuple(len(part.ragged.values) for part in encoded) == tokens
    assert encoded[0].unknown == splits.train["text"].iloc[0].split().count("<unk>") > 0


def test_tinyshakespeare_holds_out_what_nanogpt_does() -> None:
    splits = loaded("tinyshakespeare")
    assert splits.test is not None
    train, valid, test = (frame["text"].iloc[0] for frame in (splits.train, splits.valid, splits.test))
    assert len(train + valid) == 1_003_854
    assert len(train + valid + test) == 1_115_394
    assert len(set(train + valid + test)) == 65
    assert test.startswith("?\n\nGREMIO:\nGood morrow, neighbour Baptista.")


def test_pydoc_holds_out_its_end_at_line_ends() -> None:
    splits = loaded("pydoc")
    assert splits.test is not None
    train, valid, test = (frame["text"].iloc[0] for frame in (splits.train, splits.valid, splits.test))
    assert len(train) > 300_000
    assert train.endswith("\n")
    assert valid.endswith("\n")
    assert 0.045 < len(test) / len(train + valid + test) < 0.055
    assert 0.045 < len(valid) / len(train + valid + test) < 0.055


@pytest.mark.parametrize(
    ("name", "text", "label"),
    [
        ("sst2", "no movement , no yuks , not much of anything", "negative"),
        ("mr-polarity", "simplistic , silly and tedious .", "negative"),
        ("imdb", "Story of a man who has unnatural feelings for a pig.", "negative"),
    ],
)
def test_sentiment_has_both_classes_nearly_alike(name: str, text: str, label: str) -> None:
    splits = loaded(name)
    everything = zip(*(pd.concat([splits.train, splits.valid, splits.test])[c] for c in ("text", "label")), strict=True)
    assert [found for sentence, found in everything if sentence.startswith(text)] == [label]
    for frame in (splits.train, splits.valid, splits.test):
        assert frame is not None
        counts = frame["label"].value_counts()
        assert set(counts.index) == {"negative", "positive"}
        assert counts.max() / counts.min() < 1.1


def test_adding_adds_the_two_numbers_that_are_marked() -> None:
    splits = loaded("adding")
    for series, number in zip(splits.train["series"][:50], splits.train["number"][:50], strict=True):
        assert series.shape == (600, 2)
        assert sorted(series[:, 1])[-3:] == [0, 1, 1]
        assert number == pytest.approx(series[series[:, 1] == 1, 0].sum())
    # Who always says 1 has an error of 1/6, the variance of a sum of two such numbers.
    assert splits.train["number"].astype(float).sub(1).pow(2).mean() == pytest.approx(1 / 6, rel=0.05)


def test_parity_is_that_of_the_ones_and_tested_on_longer_series() -> None:
    splits = loaded("parity")
    assert splits.test is not None
    for series, label in zip(splits.test["series"], splits.test["label"], strict=True):
        assert (int((series == 1).sum()) % 2 == 1) == (label == "odd")
    assert max(map(len, splits.train["series"])) == 40 < min(map(len, splits.test["series"]))
    assert 0.45 < (splits.test["label"] == "odd").mean() < 0.55


def test_copy_memory_ends_as_it_begins() -> None:
    test = loaded("copy-memory").test
    assert test is not None
    for series, tags in zip(test["series"], test["tags"], strict=True):
        assert len(series) == len(tags) == 1020
        assert [int(x) for x in series[:10, 0]] == [int(tag) for tag in tags[-10:]]
        assert set(tags[:-10]) == {"0"}
        assert sorted(set(series[10:-11, 0].tolist())) == [0.0]
        assert set(series[-11:, 0].tolist()) == {9.0}


def test_reading_frames_go_from_a_start_to_the_first_stop_in_its_frame() -> None:
    test = loaded("reading-frames").test
    assert test is not None
    coding = 0
    for row, tags in zip(test["symbols"], test["tags"], strict=True):
        assert len(row) == len(tags)
        for found in re.finditer("c+", "".join(tags)):
            frame = row[found.start() : found.end()]
            codons = [frame[i : i + 3] for i in range(0, len(frame), 3)]
            stops = [codon in ("TAA", "TAG", "TGA") for codon in codons]
            assert codons[0] == "ATG"
            assert stops[-1]
            coding += 1
    assert coding > 150


def test_digits_are_64_pixels_of_ten_labels() -> None:
    train = loaded("digits").train
    assert {series.shape for series in train["series"]} == {(64, 1)}
    assert sorted(train["label"].unique()) == [str(i) for i in range(10)]


def test_imdb_tests_on_no_review_that_it_trains_on() -> None:
    splits = loaded("imdb")
    assert not any("trained on" in note for note in splits.notes)
    assert Counter(splits.test["label"]) == {"negative": 2_500, "positive": 2_500}  # type: ignore[index]


def test_trec_qc_has_coarse_and_fine_classes() -> None:
    coarse, fine = loaded("trec-qc"), loaded("trec-qc", label="fine")
    assert set(coarse.train["label"]) == {"ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"}
    assert fine.train["label"].nunique() == 50
    assert "10 of 500 test rows have a text that is also trained on" in coarse.notes
    assert any("sister\xf0city" in text for frame in (coarse.train, coarse.valid) for text in frame["text"])


def test_sst2_and_mr_polarity_share_sentences_as_their_files_warn() -> None:
    def squeezed(text: str) -> str:
        return re.sub("[^a-z0-9]", "", text)

    test = loaded("sst2").test
    assert test is not None
    whole = loaded("mr-polarity", test_fraction=0)
    known = {squeezed(text) for frame in (whole.train, whole.valid) for text in frame["text"]}
    assert sum(squeezed(text) in known for text in test["text"]) > 1_400


def test_cranfields_questions_are_for_the_test_alone() -> None:
    splits = loaded("cranfield")
    assert splits.test is not None
    questions = set(splits.test["text"]) - {""}
    assert len(questions) == 225
    # Every document is searched, in both parts; and nothing to be found begins with its title.
    for frame in (splits.valid, splits.test):
        assert frame["other"].nunique() == 1_398
    learned = pd.concat([splits.train, splits.valid])
    assert questions.isdisjoint(learned["text"])
    pairs = zip(learned["text"], learned["other"], strict=True)
    assert not any(text and other.startswith(text) for text, other in pairs)


def test_sicks_scores_are_its_own() -> None:
    splits = loaded("sick")
    scores = splits.train["score"].astype(float)
    assert scores.between(1, 5).all()
    assert splits.columns == {"text": "text", "other": "other", "score": "score"}


@pytest.mark.parametrize(
    ("name", "column", "tokens", "spans", "kinds"),
    [
        ("conll2000", "chunk", (211_727, 47_377), (106_978, 23_852), 11),
        ("conll2003", "ner", (203_621, 51_362, 46_435), (23_499, 5_942, 5_648), 4),
        ("wnut17", "ner", (62_730, 15_733, 23_394), (1_975, 836, 1_079), 6),
    ],
)
def test_tokens_and_spans_are_as_many_as_published(
    name: str, column: str, tokens: tuple[int, ...], spans: tuple[int, ...], kinds: int
) -> None:
    loaded(name)  # or skips
    frames = DATASETS.get(name).load().values()
    assert tuple(frame["text"].map(len).sum() for frame in frames) == tokens
    found = [[kind for row in frame[column] for kind, _, _ in spans_of(row)] for frame in frames]
    assert tuple(map(len, found)) == spans
    assert len(set(chain.from_iterable(found))) == kinds
