"""Sentences of film reviews, fresh or rotten, without a split of their own (published figures: ten folds).

Caution: ``sst2`` was taken from these sentences; 1,431 of its 1,821 test sentences are here word for word. A model
that was trained on one must not be tested on the other.
"""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File, unzip
from recurra.datasets.tables import lines


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    texts: list[str] = []
    labels: list[str] = []
    for label, suffix in (("negative", "neg"), ("positive", "pos")):
        sentences = lines(unzip(files["zip"], f"sentence_polarity/rt-polarity.{suffix}").decode())
        texts += [sentence.strip() for sentence in sentences]
        labels += [label] * len(sentences)
    return {"train": {"text": texts, "label": labels}}


MR_POLARITY = Dataset(
    name="mr_polarity",
    summary="sentence polarity dataset 1.0, film reviews' sentences, 2 classes; shares sentences with sst2",
    size="10,662 sentences; valid and test are cut from them",
    task="sentiment",
    licence="CC BY 4.0",
    source="Pang & Lee 2005, https://aclanthology.org/P05-1015",
    read=_read,
    files={
        "zip": File(
            path="mr_polarity/sentence_polarity.zip",
            hash="sha256:6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b",
            url="https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/sentence_polarity.zip",
        )
    },
    defaults={"modality.unit": "space"},
)
