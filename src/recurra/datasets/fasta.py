"""Sequences from FASTA and FASTQ files."""

from recurra.errors import DataError

FASTA = (".fasta", ".fa", ".fna", ".ffn", ".faa", ".frn", ".fas")
FASTQ = (".fastq", ".fq")


def fasta_columns(text: str, where: object) -> dict[str, list[str | None]]:
    """Records of a FASTA file: ``id``, the header's first word, ``symbols``, and what the header says further.

    What a header has as ``name=value`` is a column of that name (``>s1 label=promoter``), missing where a record lacks
    it; the rest of it is ``description``. Lines of a sequence are joined. Raises DataError, naming the line, for a
    sequence without a header, a header without a sequence (a file that was cut off ends so), and for what is no letter
    of a sequence.

    >>> fasta_columns(">s1 label=up\\nACG\\nT\\n>s2\\nGGA\\n", "a.fasta")
    {'id': ['s1', 's2'], 'symbols': ['ACGT', 'GGA'], 'label': ['up', None]}
    """
    headers: list[tuple[int, str]] = []
    sequences: list[list[str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line.startswith(">"):
            _check_complete(headers, sequences, where)
            headers.append((number, line[1:]))
            sequences.append([])
        elif line and not line.startswith(";"):
            if not headers:
                raise DataError(f"{where}, line {number}: expected a header such as >name, got {line[:40]!r}")
            sequences[-1].append(_symbols(line, where, number))
    _check_complete(headers, sequences, where)
    return _columns([header for _, header in headers], ["".join(parts) for parts in sequences], where)


def fastq_columns(text: str, where: object) -> dict[str, list[str | None]]:
    """Records of a FASTQ file, four lines each: columns as in FASTA, and ``quality`` as it is written.

    Raises DataError, naming the line, for a record that is cut off, that has more lines, or whose quality is not as
    long as its sequence.

    >>> fastq_columns("@r1\\nACGT\\n+\\nIIII\\n", "a.fastq")
    {'id': ['r1'], 'symbols': ['ACGT'], 'quality': ['IIII']}
    """
    lines = text.rstrip("\n").split("\n")
    headers, sequences, qualities = [], [], []
    for start in range(0, len(lines), 4):
        number, record = start + 1, lines[start : start + 4]
        if not record[0].startswith("@"):
            raise DataError(
                f"{where}, line {number}: expected a header such as @name, as every fourth line is one, got "
                f"{record[0][:40]!r}"
            )
        if len(record) < 4:
            raise DataError(
                f"{where}, line {number}: record {record[0][:40]!r} is cut off after {len(record)} of its 4 lines; "
                "the file is incomplete"
            )
        header, sequence, plus, quality = record
        if not plus.startswith("+"):
            raise DataError(f"{where}, line {number + 2}: expected + between sequence and quality, got {plus[:40]!r}")
        if len(quality) != len(sequence):
            raise DataError(
                f"{where}, line {number + 3}: {len(quality)} qualities for {len(sequence)} symbols of record "
                f"{header[:40]!r}; is the file incomplete?"
            )
        headers.append(header[1:])
        sequences.append(_symbols(sequence, where, number + 1))
        qualities.append(quality)
    return {**_columns(headers, sequences, where), "quality": [*qualities]}


def _check_complete(headers: list[tuple[int, str]], sequences: list[list[str]], where: object) -> None:
    if headers and not sequences[-1]:
        number, header = headers[-1]
        name = f">{header[:40]}"
        raise DataError(f"{where}, line {number}: record {name!r} has no sequence; is the file incomplete?")


def _symbols(line: str, where: object, number: int) -> str:
    wrong = next((i for i, x in enumerate(line) if not ("A" <= x.upper() <= "Z" or x == "*")), None)
    if wrong is not None:
        hint = "; gaps of an alignment must be taken out" if line[wrong] in "-." else ""
        raise DataError(f"{where}, line {number}, column {wrong + 1}: {line[wrong]!r} is no symbol of a sequence{hint}")
    return line


def _columns(headers: list[str], sequences: list[str], where: object) -> dict[str, list[str | None]]:
    if not headers:
        raise DataError(f"{where}: holds no record")
    found: list[dict[str, str]] = []
    for header, symbols in zip(headers, sequences, strict=True):
        words = header.split()
        pairs = dict(word.split("=", 1) for word in words[1:] if "=" in word.strip("="))
        rest = " ".join(word for word in words[1:] if "=" not in word.strip("="))
        own = {"id": words[0] if words else "", "symbols": symbols, **({"description": rest} if rest else {})}
        found.append({**own, **{name: value for name, value in pairs.items() if name not in own}})
    names = dict.fromkeys(name for record in found for name in record)
    return {name: [record.get(name) for record in found] for name in names}
