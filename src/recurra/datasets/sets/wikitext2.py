"""Good articles of the English Wikipedia: 33,278 words, the rest ``<unk>``.

A rebuilt copy of the training part, with the same articles in another order, is accepted from RECURRA_DATA. What is
downloaded is the published order.
"""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File

_URL = "https://raw.githubusercontent.com/pytorch/examples/main/word_language_model/data/wikitext-2/"


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    return {split: {"text": [content.decode()]} for split, content in files.items()}


WIKITEXT2 = Dataset(
    name="wikitext2",
    summary="WikiText-2, 720 good articles of the English Wikipedia in 33,278 different words",
    size="2,088,628 / 217,646 / 245,569 words with line ends",
    task="language-model",
    running=True,
    licence="CC BY-SA 3.0",
    source="Merity et al. 2016, https://arxiv.org/abs/1609.07843",
    read=_read,
    files={
        "train": File(
            path="wikitext2/wiki.train.tokens.xz",
            hash="sha256:728c77e87e176af4730f9a80fc6008bcaff421a7202c1c048877c0eec3685f89",
            url=_URL + "train.txt",
            url_hash="sha1:863f29c46ef9d167fff4940ec821195882fe29d1",
        ),
        "valid": File(
            path="wikitext2/wiki.valid.tokens.xz",
            hash="sha256:f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
            url=_URL + "valid.txt",
        ),
        "test": File(
            path="wikitext2/wiki.test.tokens.xz",
            hash="sha256:d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
            url=_URL + "test.txt",
        ),
    },
    defaults={"modality.unit": "space", "head.tied": True, "trunk.embedding": 0, "training.rate": 4e-3},
)
