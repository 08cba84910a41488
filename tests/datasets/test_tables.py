"""Every file format: the rows it gives, and the errors it names."""

import csv
import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from recurra.datasets.tables import NOTES, Plain, frame_of, read_table
from recurra.errors import DataError, InputError, MissingFileError

ROWS = {
    "text": ['She said "no", twice', "two\nlines", " padded ", "NA", "日本; | 🙂"],
    "label": ["1", "0", "null", "", "1.0"],
}


def read(path: Path, header: bool = True, plain: Plain = "lines") -> pd.DataFrame:
    return read_table(path, "utf-8", header, plain)


def as_lists(frame: pd.DataFrame) -> dict[str, list[object]]:
    return {name: list(frame[name]) for name in frame.columns}


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_holds_what_was_written(tmp_path: Path, delimiter: str) -> None:
    pd.DataFrame(ROWS).to_csv(tmp_path / "a.csv", index=False, sep=delimiter)
    frame = read(tmp_path / "a.csv")
    assert as_lists(frame) == ROWS
    assert list(frame.index) == [1, 2, 3, 4, 5]


def test_compressed_csv_and_the_index_that_pandas_writes(tmp_path: Path) -> None:
    pd.DataFrame(ROWS).to_csv(tmp_path / "a.csv.gz")
    assert as_lists(read(tmp_path / "a.csv.gz")) == {"column 1": list("01234"), **ROWS}


def test_a_field_may_be_long(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\n" + "x" * 300_000 + ",1\n")
    assert len(read(path)["text"].iloc[0]) == 300_000


def test_csv_without_a_header_numbers_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "good film,pos\nbad film,neg\n")
    assert as_lists(read(path, header=False)) == {"1": ["good film", "bad film"], "2": ["pos", "neg"]}


def test_tsv_takes_quotes_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"Great," he said\tpos\n"never closed\tneg\n\n')
    assert as_lists(read(path)) == {"text": ['"Great," he said', '"never closed'], "label": ["pos", "neg"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label\nfine,1\nhello, world,0\n", r"a\.csv, line 3: 3 fields, but the first row has 2"),
        ("a.csv", 'text,label\n"two\nlines",1\nshort\n', r"a\.csv, line 4: 1 fields, but the first row has 2"),
        ("a.csv", 'text,label\nfine,1\n"open,0\nx,1\n', r"a\.csv, line 3: malformed row"),
        ("a.csv", 'text,label\n"he said "no" twice",1\n', r"a\.csv, line 2: malformed row .* is doubled"),
        ("a.csv", "text,text\nfine,1\n", "two columns are called 'text'; if the first row is data"),
        ("a.csv", "x,y,label\n0.5,1,up\n0.2", r"a\.csv, line 3: 1 fields, but the first row has 3; .*cut off\?"),
        ("a.tsv", "x\ty\n0.5\t1\n0.2", r"a\.tsv, line 3: 1 fields.*cut off\?"),
        ("a.tsv", "text\tlabel\nfine\t1\ntoo\tmany\ttabs\n", r"a\.tsv, line 3: 3 fields.*needs CSV"),
        ("a.jsonl", '{"text": "a"}\n\n{"text": \n', r"a\.jsonl, line 3: not JSON"),
        ("a.jsonl", '{"text": "a"}\n[1]\n', r"a\.jsonl, line 2: expected a JSON object"),
        ("a.json", '[{"text": "a"},\n {"text" "b"}]', r"a\.json, line 2: not JSON"),
        (
            "a.jsonl",
            '{"text": "a"}\n{"text": "b", "text": "c"}',
            r"a\.jsonl, line 2: an object has two values of 'text'",
        ),
        ("a.json", '[{"text": "b", "text": "c"}]', r"a\.json: an object has two values of 'text'"),
        ("a.json", '[{"text": "a"}, 3]', r"a\.json, item 2: expected a JSON object"),
        ("a.parquet", "not parquet", r"a\.parquet: cannot be read as Parquet"),
    ],
)
def test_malformed_rows_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / name, content))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_nothing_but_empty_lines_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="nothing but empty lines"):
        read(write(tmp_path / name, "\n\n\n"))


def test_json_lines_and_json_lists(tmp_path: Path) -> None:
    rows = [{"text": "a\nb", "stars": 4}, {"text": "c", "extra": True}]
    lines = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n")
    expected = {"text": ["a\nb", "c"], "stars": [4, None], "extra": [None, True]}
    assert as_lists(read(lines)) == expected
    assert as_lists(read(write(tmp_path / "a.json", json.dumps(rows, indent=1)))) == expected


def test_parquet_keeps_values_as_they_are(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a", None, "c"], "n": [1, 2, 3]}).to_parquet(tmp_path / "a.parquet")
    assert as_lists(read(tmp_path / "a.parquet")) == {"text": ["a", None, "c"], "n": [1, 2, 3]}


def test_parquet_that_unpacks_to_more_than_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pd.DataFrame({"text": ["same " * 1000] * 1000}).to_parquet(tmp_path / "a.parquet", use_dictionary=False)
    assert (tmp_path / "a.parquet").stat().st_size < 1_000_000
    monkeypatch.setattr("recurra.datasets.files.memory", lambda: 16_000_000)
    with pytest.raises(InputError, match="holds more than 1 MB of data"):
        read(tmp_path / "a.parquet")


def test_plain_text_is_lines_or_one_running_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one\n\ntwo\x85still two\n")
    assert as_lists(read(path)) == {"text": ["one", "", "two\x85still two"]}
    assert as_lists(read(path, plain="whole")) == {"text": ["one\n\ntwo\x85still two\n"]}


def test_a_folder_is_a_row_a_file_with_its_sub_folder_as_label(tmp_path: Path) -> None:
    for label, names in {"neg": ["0.txt", "1.txt.gz"], "pos": ["0.md"]}.items():
        (tmp_path / label).mkdir()
        for name in names:
            content = f"{label} {name}\nmore".encode()
            (tmp_path / label / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    (tmp_path / "pos" / ".hidden").write_bytes(b"\0")
    assert as_lists(read(tmp_path)) == {
        "text": ["neg 0.txt\nmore", "neg 1.txt.gz\nmore", "pos 0.md\nmore"],
        "label": ["neg", "neg", "pos"],
    }
    assert as_lists(read(tmp_path / "pos")) == {"text": ["pos 0.md\nmore"]}


def test_folders_that_hold_other_things_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="holds no file"):
        read(tmp_path)
    write(tmp_path / "notes.txt", "text")
    write(tmp_path / "reviews.csv", "text,label\na,1\n")
    with pytest.raises(InputError, match=r"name the table itself: .*reviews\.csv"):
        read(tmp_path)
    (tmp_path / "reviews.csv").unlink()
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(DataError, match=r"photo\.jpg: byte 0"):
        read(tmp_path)
    monkeypatch.setattr("recurra.datasets.files.memory", lambda: 16)
    with pytest.raises(InputError, match="holds more than"):
        read(tmp_path)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.csv: no such file or folder"):
        read(tmp_path / "none.csv")


def test_the_limit_of_the_csv_module_is_left_as_it_was(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    read(write(tmp_path / "a.csv", "text\na\n"))
    assert csv.field_size_limit() == before


def test_frames_hold_half_a_surrogate_pair() -> None:
    assert frame_of({"text": ["\ud800"]})["text"].tolist() == ["\ud800"]


# --- the columns of the CoNLL shared tasks ---

SENTENCES = "-DOCSTART- -X- O\n\nEU NNP B-ORG\nrejects VBZ O\n\n \nPeter NNP B-PER\n"


@pytest.mark.parametrize("name", ["a.conll", "a.iob", "a.conll.gz"])
def test_conll_columns_are_a_row_a_sentence(tmp_path: Path, name: str) -> None:
    content = SENTENCES.replace("\n", "\r\n").encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    found = as_lists(read(tmp_path / name))
    assert found == {
        "text": [("EU", "rejects"), ("Peter",)],
        "2": [("NNP", "VBZ"), ("NNP",)],
        "tags": [("B-ORG", "O"), ("B-PER",)],
    }


def test_plain_text_is_columns_where_tags_are_wanted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "a b\tB-X\nc\tO\n\n")
    assert as_lists(read(path, plain="columns")) == {"text": [("a b", "c")], "tags": [("B-X", "O")]}
    assert as_lists(read(path)) == {"text": ["a b\tB-X", "c\tO", ""]}
    path = write(tmp_path / "b.txt", "just\nwords\n")
    assert as_lists(read(path, plain="columns")) == {"text": [("just", "words")]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a X\n\nb Y Z\n", r"a\.conll, line 3: expected 2 columns as on the first line, .* got 'b Y Z'"),
        ("a\tX\n\tY\n", r"a\.conll, line 2: expected 2 columns"),
    ],
)
def test_a_line_with_other_columns_is_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "a.conll", content))


def test_parallel_files_are_columns(tmp_path: Path) -> None:
    write(tmp_path / "train.de", "eins\n\nمرحبا 🙂\n")
    (tmp_path / "train.en.gz").write_bytes(gzip.compress(b"one\ntwo\nthree"))
    write(tmp_path / "train.csv", "another,form\n")
    write(tmp_path / "trainer.fr", "un\n")
    assert as_lists(read(tmp_path / "train")) == {"de": ["eins", "", "مرحبا 🙂"], "en": ["one", "two", "three"]}


def test_parallel_files_of_unequal_length_are_refused_with_the_first_line_that_is_alone(tmp_path: Path) -> None:
    write(tmp_path / "train.de", "eins\nzwei\ndrei\n")
    write(tmp_path / "train.en", "one\ntwo\n")
    with pytest.raises(DataError, match=r"train\.de, line 3: has no counterpart, as .*train\.en ends after 2 lines"):
        read(tmp_path / "train")


def test_one_file_or_two_forms_of_a_table_are_not_parallel(tmp_path: Path) -> None:
    for name in ("train.de", "reviews.csv", "reviews.txt", "a.de.old", "a.en.old"):
        write(tmp_path / name, "x\n")
    for name in ("train", "reviews", "a", "no/such/folder"):
        with pytest.raises(MissingFileError, match="no such file or folder"):
            read(tmp_path / name)


def test_decimal_commas_between_semicolons_are_read_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id;y;price;note\na;21,5;6.0;1,2,3\nb;;5.5;x\nc;1.234,5;7;y\n")
    table = read(path)
    assert table["y"].tolist() == ["21.5", "", "1234.5"]
    assert table["price"].tolist() == ["6.0", "5.5", "7"]
    assert table["note"].tolist() == ["1,2,3", "x", "y"]
    assert table.attrs[NOTES] == [f"{path}: the commas in column y are decimal ones"]
    path.write_text('id,y\na,"21,500"\n')
    assert read(path)["y"].tolist() == ["21,500"]


def test_an_index_without_a_name_is_no_column_of_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ds": ["c", "a", "b"], "y": [1.0, 2.0, 3.0]}).sort_values("ds")
    frame.to_parquet(tmp_path / "a.parquet")
    assert list(read(tmp_path / "a.parquet")) == ["ds", "y"]
    frame.set_index("ds").to_parquet(tmp_path / "b.parquet")
    assert set(read(tmp_path / "b.parquet")) == {"ds", "y"}
