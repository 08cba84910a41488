"""English news of the Reuters corpus with their words' parts of speech, phrases (IOB1) and names (IOB1)."""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File
from recurra.datasets.tables import conll_columns

_URL = "https://raw.githubusercontent.com/glample/tagger/master/dataset/"


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    return {split: _columns(data.decode(), split) for split, data in files.items()}


def _columns(text: str, split: str) -> Columns:
    columns = conll_columns(text, f"conll2003 ({split})")
    return {"text": columns["text"], "pos": columns["2"], "chunk": columns["3"], "ner": columns["tags"]}


CONLL2003 = Dataset(
    name="conll2003",
    summary="English news with people, places, organisations and other names; parts of speech and phrases too",
    size="14,041 / 3,250 / 3,453 sentences",
    task="ner",
    licence="Reuters; for research, not to be passed on",
    source="Tjong Kim Sang & De Meulder 2003, https://aclanthology.org/W03-0419",
    read=_read,
    files={
        "train": File(
            path="conll2003/eng.train.xz",
            hash="sha256:1f829db7620be0f4a5fff90203eeef27580a75546fdbf180e36ff542b92e6a92",
            url=_URL + "eng.train",
        ),
        "valid": File(
            path="conll2003/eng.testa.xz",
            hash="sha256:426445b024120cfbd770fb4c0dafb6710f35afc08056b82837aa166a8cd6aef7",
            url=_URL + "eng.testa",
        ),
        "test": File(
            path="conll2003/eng.testb.xz",
            hash="sha256:ae78c673d851c4308090fed5fb4412474c8b1fc91fe20728fdf62fdbfa1a5b2c",
            url=_URL + "eng.testb",
        ),
    },
)
