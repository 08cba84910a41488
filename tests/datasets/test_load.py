"""From a source of any kind to three parts."""

import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from recurra.config import override
from recurra.datasets import DATASETS, DataConfig, Dataset, Splits, load, read_rows
from recurra.errors import InputError, MissingFileError

BOTH = ("text", "label")


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    return table(tmp_path / "reviews.csv", range(100))


def table(path: Path, numbers: range) -> Path:
    rows = {"review": [f"film number {i}" for i in numbers], "stars": [i % 2 for i in numbers]}
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def sizes(splits: Splits) -> tuple[int, int, int | None]:
    return len(splits.train), len(splits.valid), None if splits.test is None else len(splits.test)


def test_a_file_is_split_and_what_was_done_is_said(reviews: Path) -> None:
    splits = load(DataConfig(source=str(reviews)), BOTH)
    assert sizes(splits) == (80, 10, 10)
    assert splits.name == str(reviews)
    assert splits.columns == {"text": "review", "label": "stars"}
    assert splits.notes == [
        f"{reviews}: text is column 'review', label is column 'stars' "
        "(guessed; choose with --column ROLE=NAME; if the first row is data, set data.header=false)",
        f"{reviews}: 10 % for valid and 10 % for test cut from 100 rows, identical texts kept together, "
        "the same share of every label (split_seed 0)",
    ]
    for frame in (splits.train, splits.valid, splits.test):
        assert frame is not None
        assert frame["label"].value_counts().to_dict() == {"0": len(frame) // 2, "1": len(frame) // 2}
        assert frame["text"].tolist() == [f"film number {number - 1}" for number in frame.index]


def test_files_of_ones_own_are_left_as_they_are(reviews: Path, tmp_path: Path) -> None:
    valid, test = table(tmp_path / "v.csv", range(200, 230)), table(tmp_path / "t.csv", range(95, 102))
    splits = load(DataConfig(source=str(reviews), valid=str(valid), test=str(test)), BOTH)
    assert sizes(splits) == (100, 30, 7)
    assert splits.notes[1:] == ["5 of 7 test rows have a text that is also trained on"]


def test_what_is_not_given_is_cut_from_the_training_rows(reviews: Path, tmp_path: Path) -> None:
    other = str(table(tmp_path / "other.csv", range(200, 230)))
    assert sizes(load(DataConfig(source=str(reviews), test=other), BOTH)) == (90, 10, 30)
    assert sizes(load(DataConfig(source=str(reviews), valid=other), BOTH)) == (90, 30, 10)
    assert sizes(load(DataConfig(source=str(reviews), valid=other, test_fraction=0), BOTH)) == (100, 30, None)
    assert sizes(load(DataConfig(source=str(reviews), test_fraction=0), BOTH)) == (90, 10, None)


def test_another_files_columns_are_those_of_training_or_a_guess_that_is_said(reviews: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("stars,sentence\n1,never seen\n")
    splits = load(DataConfig(source=str(reviews), test=str(other)), BOTH)
    assert list(splits.test["text"]) == ["never seen"]
    assert [note for note in splits.notes if "other.csv" in note and "sentence" in note]


def test_too_few_rows_are_refused_with_the_file(tmp_path: Path) -> None:
    path = table(tmp_path / "few.csv", range(4))
    with pytest.raises(InputError, match=r"few\.csv: 4 different texts are too few to hold out 10 % for valid"):
        load(DataConfig(source=str(path)), BOTH)
    (tmp_path / "few.txt").write_text("a")
    with pytest.raises(InputError, match=r"few\.txt: a text of 1 characters is too short"):
        load(DataConfig(source=str(tmp_path / "few.txt")), ("text",), running=True)


def test_running_text_is_cut_at_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("".join(f"line {i}\n" for i in range(1000)))
    splits = load(DataConfig(source=str(path)), ("text",), running=True)
    assert sizes(splits) == (1, 1, 1)
    assert splits.test is not None
    texts = [frame["text"].iloc[0] for frame in (splits.train, splits.valid, splits.test)]
    assert "".join(texts) == path.read_text()
    assert all(text.startswith("line") and text.endswith("\n") for text in texts)
    assert splits.notes == [f"{path}: 10 % for valid and 10 % for test cut from the end of the text"]


def test_running_text_of_many_documents_is_split_by_document(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"{i}.txt").write_text(f"document {i}\n" * (1 if i < 15 else 100))
    splits = load(DataConfig(source=str(tmp_path)), ("text",), running=True)
    assert splits.test is not None
    assert len(splits.train) + len(splits.valid) + len(splits.test) == 30
    characters = [int(frame["text"].str.len().sum()) for frame in (splits.valid, splits.train, splits.test)]
    assert characters[0] / sum(characters) == pytest.approx(0.1, abs=0.04)
    assert characters[2] / sum(characters) == pytest.approx(0.1, abs=0.04)


def test_frames_of_pandas_and_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"text": [f"t{i}" for i in range(50)], "label": [1.0, None] * 25, 3: 0})
    splits = load(DataConfig(), BOTH, frame=frame)
    assert (splits.name, sizes(splits)) == ("frame", (19, 3, 3))
    assert set(splits.train["label"]) == {"1"}
    assert splits.notes[0] == "frame: 25 of 50 rows left out: 25 without label"

    # polars is no dependency: what is used of it is the module's name and to_pandas.
    class DataFrame:
        def to_pandas(self) -> pd.DataFrame:
            return frame

    DataFrame.__module__ = "polars.dataframe.frame"
    monkeypatch.setitem(sys.modules, "polars", ModuleType("polars"))
    assert load(DataConfig(), BOTH, frame=DataFrame()).train.equals(splits.train)
    with pytest.raises(InputError, match="expected a path, a pandas or a polars frame, got list"):
        load(DataConfig(), BOTH, frame=["text"])


def test_a_source_that_is_nothing_is_answered_with_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"tinyshakespear: no such file.*did you mean .* 'tinyshakespeare'"):
        load(DataConfig(source="tinyshakespear"), ("text",))
    with pytest.raises(
        MissingFileError, match=r"zzz\.csv: no such file or folder.*`recurra datasets` lists those there are"
    ):
        load(DataConfig(source="zzz.csv"), ("text",))
    with pytest.raises(MissingFileError, match="no such file or folder"):
        load(DataConfig(source="a whole review instead of a name " * 200), ("text",))
    with pytest.raises(InputError, match="got nothing"):
        load(DataConfig(), ("text",))
    with pytest.raises(MissingFileError, match=r"v\.csv: no such file"):
        load(DataConfig(source="pydoc", valid=str(tmp_path / "v.csv")), ("text",), running=True)


def test_a_path_wins_over_a_data_set_and_an_empty_source_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(DataConfig(), ("text",), running=True, default_dataset="pydoc").name == "pydoc"
    monkeypatch.chdir(tmp_path)
    Path("pydoc").write_text("mine\n" * 1000)
    splits = load(DataConfig(source="pydoc"), ("text",), running=True)
    assert splits.train["text"].iloc[0].startswith("mine")
    assert splits.defaults == {}


def test_rows_of_a_new_file_have_the_columns_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    path.write_text('{"body": "a", "title": "b"}\n{"body": ""}\n')
    rows = read_rows(str(path), ("text",), {"text": "body"})
    assert rows.frame["text"].tolist() == ["a"]
    assert rows.notes == [f"{path}: 1 of 2 rows left out: 1 without text"]
    assert read_rows(path, ("text",), {}).columns == {"text": "body"}
    assert read_rows(pd.DataFrame({"text": ["x"]}), ("text",), {}).frame["text"].tolist() == ["x"]
    lines = tmp_path / "lines.txt"
    lines.write_text("one\ntwo\n")
    assert read_rows(str(lines), ("text",), {}).frame["text"].tolist() == ["one", "two"]
    with pytest.raises(InputError, match="needed are one each for text and label"):
        read_rows(str(lines), BOTH, {})


def test_rows_of_a_data_set_are_its_test_rows() -> None:
    test = load(DataConfig(source="pydoc"), ("text",), running=True).test
    assert test is not None
    assert read_rows("pydoc", ("text",), {}, running=True).frame.equals(test)


def test_rows_of_a_data_set_without_a_test_are_all(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Dataset("whole", "", "", "", "", "", lambda _: {"train": {"text": ["a", "b"]}})
    monkeypatch.setattr(DATASETS, "get", lambda name: whole)
    rows = read_rows("pydoc", ("text",), {})
    assert rows.frame["text"].tolist() == ["a", "b"]
    assert rows.notes == ["whole: a data set without test rows of its own; these are all its rows"]


@pytest.mark.parametrize(
    ("key", "value"), [("valid_fraction", 0), ("valid_fraction", 1), ("test_fraction", -0.1), ("test_fraction", 0.9)]
)
def test_shares_that_leave_nothing_are_refused(key: str, value: float) -> None:
    with pytest.raises(InputError, match=f"data.{key}"):
        override(DataConfig(), {key: value})


def test_settings_come_as_text_from_the_command_line() -> None:
    config = override(DataConfig(), {"columns.text": "review", "header": "false", "encoding": "latin-1"})
    assert config == DataConfig(columns={"text": "review"}, header=False, encoding="latin-1")


def test_a_file_that_may_be_cut_within_its_last_number_is_said(tmp_path):
    rows = "timestamp,value\n" + "".join(f"{i},{i}.1{i % 9 + 1}5\n" for i in range(40))
    file = tmp_path / "cut.csv"

    def notes(text: str) -> str:
        file.write_text(text)
        return " ".join(read_rows(file, ("series",), {}, pointwise=True).notes)

    assert "the last number, 7.1, has fewer decimals than those before it: is it cut short?" in notes(rows + "40,7.1")
    for whole in (rows, rows[:-1], rows + "40,7.1\n", rows + "40,7.135"):
        assert "cut short" not in notes(whole)
