"""Sentences of film reviews, praise or not.

Caution: 1,431 of the 1,821 test sentences are among the sentences of ``mr_polarity``, which these were taken from.
A model that was trained on ``mr_polarity`` must not be tested here, nor the other way round.
"""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File
from recurra.datasets.tables import lines

_URL = "https://raw.githubusercontent.com/clairett/pytorch-sentiment-classification/master/data/SST2/"
_LABELS = {"0": "negative", "1": "positive"}


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    splits = {split: [line.rsplit("\t", 1) for line in lines(data.decode())] for split, data in files.items()}
    return {
        split: {"text": [text for text, _ in rows], "label": [_LABELS[label] for _, label in rows]}
        for split, rows in splits.items()
    }


SST2 = Dataset(
    name="sst2",
    summary="Stanford Sentiment Treebank, film reviews' sentences, 2 classes; shares sentences with mr_polarity",
    size="6,920 / 872 / 1,821 sentences",
    task="sentiment",
    licence="not stated; for research",
    source="Socher et al. 2013, https://aclanthology.org/D13-1170",
    read=_read,
    files={
        "train": File(
            path="sst2/train.tsv.xz",
            hash="sha256:ec192f833a64da08f475488a77b0d0b47db47acd0f458bd18433fc793b569920",
            url=_URL + "train.tsv",
        ),
        "valid": File(
            path="sst2/dev.tsv.xz",
            hash="sha256:eddea6b39e601dd4e7a672b53cc40fdf6019fa80522f351206c24340ca5d9359",
            url=_URL + "dev.tsv",
        ),
        "test": File(
            path="sst2/test.tsv.xz",
            hash="sha256:831169c7e2e429d6026e1bdbb542f33b636e3e596caad9602ebc953c205928b7",
            url=_URL + "test.tsv",
        ),
    },
    defaults={"modality.unit": "space"},
)
