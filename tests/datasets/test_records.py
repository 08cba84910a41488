"""Files of series and of sequences: what they hold, and the line of what is wrong with them."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.datasets import DataConfig, load, read_rows
from recurra.datasets.fasta import fasta_columns, fastq_columns
from recurra.datasets.tables import read_table
from recurra.datasets.ts import ts_columns
from recurra.errors import DataError, InputError

TS = """#a comment
@problemName Two
@timeStamps false
@univariate false
@classLabel true up down
@data
1,2,3:0,0,0.5:up

4,?:1,1:down
"""
FASTA = ">s1 label=up a donor site\nACGT\nNNR\n\n>s2 label=down\nggc\n"
FASTQ = "@r1 label=up\nACGT\n+\nII#I\n@r2 label=down\nGG\n+r2\n@@\n"


def test_ts_rows_have_channels_side_by_side_and_labels() -> None:
    found = ts_columns(TS, "a.ts")
    assert found["label"] == ["up", "down"]
    np.testing.assert_array_equal(found["series"][0], [[1, 0], [2, 0], [3, 0.5]])
    np.testing.assert_array_equal(found["series"][1], [[4, 1], [np.nan, 1]])


def test_ts_files_may_have_numbers_or_nothing_to_predict() -> None:
    assert ts_columns("@targetlabel true\n@data\n1,2:0.5\n", "a")["number"] == ["0.5"]
    assert set(ts_columns("@classLabel false\n@data\n1,2\n", "a")) == {"series"}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), min_size=1, max_size=5))
def test_ts_holds_what_was_written(series: list[list[float]]) -> None:
    lines = [f"{','.join(map(repr, row))}:{i % 2}" for i, row in enumerate(series)]
    found = ts_columns("\n".join(["@classLabel true 0 1", "@data", *lines]), "a")
    assert [row[:, 0].tolist() for row in found["series"]] == series


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TS.replace("4,?:1,1:down", "4,2:1,"), r"a\.ts, line 9: 2 parts between colons, but the first series has 3"),
        (TS.replace("1,1:down", "1,1:do"), r"a\.ts, line 9: label 'do' is none of those announced: up down"),
        (TS.replace("1,1:down", "1:down"), r"a\.ts, line 9: its channels have 1 and 2 numbers"),
        (TS.replace("1,1:down", "1,x:down"), r"a\.ts, line 9: expected numbers between commas .*'x'"),
        (TS.replace("@timeStamps false", "@timeStamps true"), r"a\.ts, line 3: series with time stamps"),
        (TS.split("@data")[0], r"a\.ts: not a \.ts file, or one that was cut off"),
        ("@data\n", r"a\.ts: no series"),
        ("1,2:up\n", r"a\.ts, line 1: expected a tag"),
    ],
)
def test_ts_says_which_line_is_wrong(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ts_columns(text, "a.ts")


def test_fasta_records_have_what_their_headers_say() -> None:
    assert fasta_columns(FASTA, "a") == {
        "id": ["s1", "s2"],
        "symbols": ["ACGTNNR", "ggc"],
        "description": ["a donor site", None],
        "label": ["up", "down"],
    }


def test_fastq_records_have_their_qualities() -> None:
    found = fastq_columns(FASTQ, "a")
    assert found["symbols"] == ["ACGT", "GG"]
    assert found["quality"] == ["II#I", "@@"]
    assert found["label"] == ["up", "down"]


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (fasta_columns, "ACGT\n>s1\nA\n", r"a, line 1: expected a header such as >name, got 'ACGT'"),
        (fasta_columns, ">s1\n>s2\nA\n", r"a, line 1: record '>s1' has no sequence"),
        (fasta_columns, FASTA + ">s3 label=up\n", r"a, line 7: record '>s3 label=up' has no sequence; is .*incomplete"),
        (fasta_columns, ">s1\nAC-GT\n", r"a, line 2, column 3: '-' is no symbol .*gaps"),
        (fasta_columns, "\n", "a: holds no record"),
        (fastq_columns, FASTQ[:-4], r"a, line 5: record '@r2 label=down' is cut off after 3 of its 4 lines"),
        (fastq_columns, FASTQ[:-2], r"a, line 8: 1 qualities for 2 symbols of record '@r2 label=down'"),
        (fastq_columns, "@r1\nAC\nGT\n+\nIIII\n", r"a, line 3: expected \+ between sequence and quality"),
        (fastq_columns, "r1\nAC\n+\nII\n", r"a, line 1: expected a header such as @name"),
        (fastq_columns, "@r1\nA C\n+\nIII\n", r"a, line 2, column 2: ' ' is no symbol"),
    ],
)
def test_sequences_say_which_line_is_wrong(read: object, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(text, "a")  # type: ignore[operator]


def test_they_are_read_by_suffix_compressed_or_not(tmp_path: Path) -> None:
    for name, text in (("a.ts", TS), ("a.fa", FASTA), ("a.fastq", FASTQ)):
        (tmp_path / name).write_text(text)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
        for file in (name, f"{name}.gz"):
            assert list(read_table(tmp_path / file, "utf-8", True, "lines")["label"]) == ["up", "down"]


def test_a_file_and_its_test_file_are_data_of_a_task(tmp_path: Path) -> None:
    rows = "".join(f"{i},1,2:0.5,0,{i}:{'up' if i % 2 else 'down'}\n" for i in range(20))
    for name in ("two_TRAIN.ts", "two_TEST.ts"):
        (tmp_path / name).write_text(f"@classLabel true up down\n@data\n{rows}")
    config = DataConfig(source=str(tmp_path / "two_TRAIN.ts"), test=str(tmp_path / "two_TEST.ts"), valid_fraction=0.2)
    splits = load(config, ("series", "label"))
    assert (len(splits.train), len(splits.valid), len(splits.test)) == (16, 4, 20)  # type: ignore[arg-type]
    assert splits.train["series"].iloc[0].shape == (3, 2)


def test_tags_may_be_a_letter_for_each_base(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sequence,structure\nACGT,eeii\nGG,n c\nTTT,\n")
    rows = read_rows(tmp_path / "a.csv", ("symbols", "tags"), {"tags": "structure"})
    assert list(rows.frame["symbols"]) == ["ACGT", "GG"]
    assert list(rows.frame["tags"]) == [("e", "e", "i", "i"), "n c"]
    assert any("1 of 3 rows left out: 1 without tags" in note for note in rows.notes)


def test_a_series_with_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text(TS)
    with pytest.raises(DataError, match=r"a\.ts, row 2, column series, step 2: a number is missing"):
        read_rows(tmp_path / "a.ts", ("series", "label"), {})


def test_ids_of_records_are_never_labels(tmp_path: Path) -> None:
    path = tmp_path / "reads.fa"
    path.write_text("".join(f">s{i}\nACGT{'A' * (i % 7)}\n" for i in range(30)))
    with pytest.raises(InputError, match=r"which column is the label\? .*headers of the records, as >s1 label=NAME"):
        load(DataConfig(source=str(path)), ("symbols", "label"))
    path.write_text(path.read_text().replace("\n", " up\n", 1).replace(">s1\n", ">s1 down\n"))
    told = " ".join(read_rows(path, ("symbols", "label"), {}).notes)
    assert "label is column 'description' (guessed" in told
