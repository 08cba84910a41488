"""Posts from the web with names of 6 kinds (IOB2), of which few that are to be found stand in the training posts."""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File
from recurra.datasets.tables import conll_columns

_URL = "https://raw.githubusercontent.com/leondz/emerging_entities_17/master/"


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    return {split: _columns(data.decode(), split) for split, data in files.items()}


def _columns(text: str, split: str) -> Columns:
    columns = conll_columns(text, f"wnut17 ({split})")
    return {"text": columns["text"], "ner": columns["tags"]}


WNUT17 = Dataset(
    name="wnut17",
    summary="posts from the web with new and rare names of 6 kinds",
    size="3,394 / 1,009 / 1,287 posts",
    task="ner",
    licence="CC BY 4.0",
    source="Derczynski et al. 2017, https://aclanthology.org/W17-4418",
    read=_read,
    files={
        "train": File(
            path="wnut17/wnut17train.conll.xz",
            hash="sha256:731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
            url=_URL + "wnut17train.conll",
        ),
        "valid": File(
            path="wnut17/emerging.dev.conll.xz",
            hash="sha256:e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
            url=_URL + "emerging.dev.conll",
        ),
        "test": File(
            path="wnut17/emerging.test.annotated.xz",
            hash="sha256:2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
            url=_URL + "emerging.test.annotated",
        ),
    },
)
