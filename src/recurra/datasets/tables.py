"""Rows of named columns from tables, CoNLL columns, FASTA, FASTQ, ``.ts``, plain text and folders of it."""

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recurra.datasets.fasta import FASTA, FASTQ, fasta_columns, fastq_columns
from recurra.datasets.files import COMPRESSED, check_memory, data_suffix, decode, read_bytes
from recurra.datasets.ts import ts_columns
from recurra.errors import DataError, InputError, MissingFileError

if TYPE_CHECKING:
    import pandas as pd

DELIMITED = (".csv", ".tsv", ".tab")
JSON = (".jsonl", ".ndjson", ".json")
PARQUET = (".parquet", ".pq")
CONLL = (".conll", ".iob", ".iob2", ".bio")
# Forms of series and of sequences, each with its reader.
RECORDS: dict[str, Callable[[str, object], Mapping[str, Sequence[Any]]]] = {
    ".ts": ts_columns,
    **dict.fromkeys(FASTA, fasta_columns),
    **dict.fromkeys(FASTQ, fastq_columns),
}
# Two files of one name with these are rather two forms of the same data.
NOT_PARALLEL = ("", ".txt", *DELIMITED, *JSON, *PARQUET, *RECORDS)
# Words for nothing, in small letters.
ABSENT = ("", "na", "nan", "null", "none")
# What pandas calls an index without a name in Parquet; one with a name is a column as others.
NAMELESS_INDEX = re.compile(r"__index_level_\d+__")
# Numbers with a decimal comma, and points between thousands.
DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?\s*")
# Decimals of a number; of so many numbers it is known how many decimals they have.
DECIMALS, ENOUGH = re.compile(r"\s*[+-]?\d*(?:\.(\d*))?\s*"), 10
# A frame's attribute: what a person should know of how it was read, in sentences.
NOTES = "notes"
HEADER_HINT = "if the first row is data, set data.header=false"

# What plain text is: a row a line, a row in all, or CoNLL columns.
Plain = Literal["lines", "whole", "columns"]


def place(name: str, label: object) -> str:
    """Where a person finds a row; one that does not count as the others do is labelled with the whole of it."""
    return label if isinstance(label, str) else f"{name}, row {label}"


def frame_of(columns: Mapping[str, Sequence[Any]]) -> "pd.DataFrame":
    """A frame of Python objects; its index, ``row``, counts the rows of the source from 1."""
    import pandas as pd

    # As objects: pandas' own text columns hold no half of a surrogate pair, which a file may.
    frame = pd.DataFrame({name: pd.Series(list(values), dtype=object) for name, values in columns.items()})
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
    return frame


def read_table(path: Path, encoding: str, header: bool, plain: Plain) -> "pd.DataFrame":
    """The rows of a file or folder, with the columns that it has.

    Plain text is every file whose suffix is not a table's; ``plain`` says how it is read. In lines or whole it has one
    column, ``text``. A folder has a row for each plain text file below it, and with sub-folders a column ``label`` with
    the sub-folder's name. The path ``corpus/train`` also stands for parallel files such as ``corpus/train.de`` and
    ``corpus/train.en``: each is a column, ``de`` and ``en``, and each line a row.
    """
    if path.is_dir():
        return _folder(path, encoding)
    if not path.exists():
        if files := _parallel(path):
            return _side_by_side(files, encoding)
        raise MissingFileError(f"{path}: no such file or folder")
    suffix = data_suffix(path)
    if suffix in PARQUET:
        return _parquet(path)
    text = decode(read_bytes(path), encoding, path)
    if suffix in DELIMITED:
        return _delimited(text, path, header, tabs=suffix != ".csv")
    if suffix in JSON:
        return _json(text, path)
    if suffix in RECORDS:
        return frame_of(RECORDS[suffix](text, path))
    if suffix in CONLL or plain == "columns":
        return frame_of(conll_columns(text, path))
    return frame_of({"text": [text] if plain == "whole" else lines(text)})


def conll_columns(text: str, where: object) -> dict[str, list[tuple[str, ...]]]:
    """Sentences in the columns of the CoNLL shared tasks: a token a line, an empty line after each sentence.

    Columns stand between tabs, or else white space. The first is ``text``, the last ``tags``, those between are called
    2, 3 and so on; each is a tuple a sentence. ``-DOCSTART-`` lines are left out. Raises DataError for a line that has
    not as many columns as the first one.

    >>> conll_columns("EU NNP B-ORG\\nrejects VBZ O\\n\\nPeter NNP B-PER\\n", "a.conll")["tags"]
    [('B-ORG', 'O'), ('B-PER',)]
    """
    sentences: list[list[list[str]]] = [[]]
    first: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            sentences.append([])
            continue
        fields = line.strip("\r ").split("\t") if "\t" in line else line.split()
        if fields[0] == "-DOCSTART-":
            continue
        first = first or fields
        if len(fields) != len(first) or not all(fields):
            raise DataError(
                f"{where}, line {number}: expected {len(first)} columns as on the first line, with a text in each, "
                f"got {line!r}"
            )
        sentences[-1].append(fields)
    kept = [sentence for sentence in sentences if sentence]
    names = ["text", *map(str, range(2, len(first))), *["tags"] * (len(first) > 1)]
    return {name: [tuple(fields[i] for fields in sentence) for sentence in kept] for i, name in enumerate(names)}


def is_readable(path: Path) -> bool:
    """Whether ``read_table`` has something to read there."""
    return os.path.exists(path) or bool(_parallel(path))  # unlike Path's, exists answers for what could be no path


def _parallel(path: Path) -> dict[str, Path]:
    """The files that the path with another suffix names, by suffix; none where there are not two of them at least."""
    try:
        names = sorted(os.listdir(path.parent))
    except (OSError, ValueError):
        return {}
    files: dict[str, Path] = {}
    for name in names:
        suffix = data_suffix(Path(name))
        if suffix in NOT_PARALLEL or not name.startswith(f"{path.name}."):
            continue
        side = name.removeprefix(f"{path.name}.")
        if side.lower() in (suffix[1:], *(suffix[1:] + packed for packed in COMPRESSED)):
            files.setdefault(side.partition(".")[0], path.parent / name)
    return files if len(files) > 1 else {}


def _side_by_side(files: dict[str, Path], encoding: str) -> "pd.DataFrame":
    columns = {side: lines(decode(read_bytes(file), encoding, file)) for side, file in files.items()}
    longest, shortest = (pick(columns, key=lambda side: len(columns[side])) for pick in (max, min))
    if (count := len(columns[shortest])) != len(columns[longest]):
        raise DataError(
            f"{files[longest]}, line {count + 1}: has no counterpart, as {files[shortest]} ends after {count:,} lines "
            f"and this file has {len(columns[longest]):,}; parallel files need the same sentence in each line"
        )
    return frame_of(columns)


def lines(text: str) -> list[str]:
    """Lines ended by ``\\n`` and nothing else: some reviews hold other characters that Python takes for line ends."""
    return text.removesuffix("\n").split("\n")


def _folder(path: Path, encoding: str) -> "pd.DataFrame":
    below = (file.relative_to(path) for file in sorted(path.rglob("*")) if file.is_file())
    names = [name for name in below if not any(part.startswith(".") for part in name.parts)]
    if not names:
        raise InputError(f"{path}: the folder holds no file")
    for name in names:
        if data_suffix(name) in (*DELIMITED, *JSON, *PARQUET, *RECORDS):
            raise InputError(f"{path}: a folder must hold plain text files only; name the table itself: {path / name}")
    check_memory(path, sum((path / name).stat().st_size for name in names))
    columns = {"text": [decode(read_bytes(path / name), encoding, path / name) for name in names]}
    if any(len(name.parts) > 1 for name in names):
        columns["label"] = [name.parts[0] if len(name.parts) > 1 else "" for name in names]
    return frame_of(columns)


def _parquet(path: Path) -> "pd.DataFrame":
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(io.BytesIO(read_bytes(path)))
        groups = range(file.metadata.num_row_groups)
        check_memory(path, sum(file.metadata.row_group(i).total_byte_size for i in groups))
        table = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error})") from error
    return frame_of(
        {name: table[name].to_pylist() for name in table.column_names if not NAMELESS_INDEX.fullmatch(name)}
    )


def _json(text: str, path: Path) -> "pd.DataFrame":
    if text.lstrip().startswith("["):
        rows = [(f"item {i}", row) for i, row in enumerate(_parsed(text, path), 1)]
    else:
        rows = [(f"line {i}", _parsed(line, path, i)) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
    for where, row in rows:
        if not isinstance(row, dict):
            raise DataError(f'{path}, {where}: expected a JSON object like {{"text": "..."}}, got {str(row)[:40]!r}')
    names = dict.fromkeys(name for _, row in rows for name in row)
    return frame_of({name: [row.get(name) for _, row in rows] for name in names})


def _parsed(text: str, path: Path, line: int | None = None) -> Any:
    """line: the number of the one that ``text`` is; None: a whole file."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            key = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
            where = f"{path}, line {line}" if line else str(path)
            raise DataError(f"{where}: an object has two values of {key!r}")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {line or error.lineno}: not JSON ({error.msg}, column {error.colno})") from None


def _delimited(text: str, path: Path, header: bool, tabs: bool) -> "pd.DataFrame":
    """CSV with quotes (RFC 4180) and any of four delimiters; in TSV a quote is just a character, as IANA has it."""
    delimiter, numbered = ("\t", _tab_separated(text)) if tabs else _comma_separated(text, path)
    if not numbered:
        raise InputError(f"{path}: the file holds nothing but empty lines")
    width = len(numbered[0][1])
    for line, fields in numbered:
        if len(fields) != width:
            hint = "a text with tabs in it needs CSV" if tabs else "a text with the delimiter in it needs quotes"
            if fields is numbered[-1][1] and len(fields) < width:
                hint = "it is the last line: was the file cut off?"
            raise DataError(f"{path}, line {line}: {len(fields)} fields, but the first row has {width}; {hint}")
    rows = [fields for _, fields in numbered]
    if header:
        names = [name.strip() or f"column {i}" for i, name in enumerate(rows.pop(0), 1)]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise DataError(f"{path}: two columns are called {twice[0]!r}; {HEADER_HINT}")
    else:
        names = [str(i) for i in range(1, width + 1)]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    changed = {name: points for name, cells in columns.items() if delimiter == ";" and (points := _with_points(cells))}
    frame = frame_of({**columns, **changed})
    notes = [f"{path}: the commas in column {name} are decimal ones" for name in changed]
    if not text.endswith("\n") and _is_shorter(list(frame.iloc[:, -1])):
        notes.append(
            f"{path}: the file ends within a line, and the last number, {rows[-1][-1]}, has fewer decimals than those "
            "before it: is it cut short?"
        )
    if notes:
        frame.attrs[NOTES] = notes
    return frame


def _with_points(cells: list[str]) -> list[str]:
    """Numbers with a decimal comma as Python reads them; nothing where the cells are anything else."""
    there = [cell for cell in cells if cell.strip().lower() not in ABSENT]
    if not any("," in cell for cell in there) or not all(map(DECIMAL_COMMA.fullmatch, there)):
        return []
    return [cell.replace(".", "").replace(",", ".") for cell in cells]


def _is_shorter(cells: list[str]) -> bool:
    """Whether the last number has fewer decimals than nine in ten of those before it."""
    decimals = [len(found[1] or "") for cell in cells if (found := DECIMALS.fullmatch(cell))]
    before, last = decimals[:-1], cells[-1] if cells else ""
    longer = sum(count > decimals[-1] for count in before) if DECIMALS.fullmatch(last) else 0
    return len(before) >= ENOUGH and 10 * longer >= 9 * len(before)


def _tab_separated(text: str) -> list[tuple[int, list[str]]]:
    return [(i, line.split("\t")) for i, line in enumerate(text.split("\n"), 1) if line]


def _comma_separated(text: str, path: Path) -> tuple[str, list[tuple[int, list[str]]]]:
    """The delimiter, the first of four that the first line has, and rows with the lines that they begin on."""
    first = re.sub('"[^"]*"', "", text.lstrip("\n").partition("\n")[0])
    delimiter = next((d for d in ",;\t|" if d in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    limit = csv.field_size_limit(2**31 - 1)
    try:
        for fields in reader:
            if fields:
                rows.append((line, fields))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: malformed row ({error}); a quote inside a field is doubled") from None
    finally:
        csv.field_size_limit(limit)
    return delimiter, rows
