"""Questions by the kind of answer they want: 6 coarse classes (``label``) and 50 fine ones (``fine``)."""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File, unzip
from recurra.datasets.tables import lines


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    return {split: _columns(unzip(files["zip"], f"qc/{split}.txt").decode("latin-1")) for split in ("train", "test")}


def _columns(text: str) -> Columns:
    # A line: "NUM:date When did Hawaii become a state ?"
    fine, questions = zip(*(line.strip().split(" ", 1) for line in lines(text)), strict=True)
    return {"text": questions, "label": [name.split(":")[0] for name in fine], "fine": fine}


TREC_QC = Dataset(
    name="trec_qc",
    summary="questions by the kind of answer, 6 classes; --column label=fine: 50 classes",
    size="5,452 / 500 questions; valid is cut from the first",
    task="topic",
    licence="not stated; for research",
    source="Li & Roth 2002, https://aclanthology.org/C02-1150",
    read=_read,
    files={
        "zip": File(
            path="trec_qc/qc.zip",
            hash="sha256:091fb01e50883014d150acb7d5013d787136968b3f955ae01725a65e7e80f304",
            url="https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/qc.zip",
        )
    },
    defaults={"modality.unit": "space"},
)
