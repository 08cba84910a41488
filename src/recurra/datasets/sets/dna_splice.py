"""Splice junctions in primate DNA: whether a gene's exon ends, begins, or neither, in the middle of 60 bases.

``ei`` exon to intron (donor), ``ie`` intron to exon (acceptor), ``n`` neither. The split is StatLog's: the first 2,000
and the last 1,186.
"""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File

TRAINING = 2_000


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    labels, sequences = zip(*(line.split(",") for line in files["csv"].decode().split()[1:]), strict=True)
    return {
        split: {"symbols": sequences[rows], "label": labels[rows]}
        for split, rows in (("train", slice(TRAINING)), ("test", slice(TRAINING, None)))
    }


DNA_SPLICE = Dataset(
    name="dna_splice",
    summary="splice junctions in DNA, 3 classes",
    size="2,000 / 1,186 sequences of 60 bases; valid is cut from the first",
    task="dna",
    licence="CC-BY-4.0",
    source="Towell, Noordewier & Shavlik 1991, https://doi.org/10.24432/C5M888; split of Michie et al. 1994",
    read=_read,
    # What is asked stands between bases 30 and 31.
    defaults={"head.pool": "middle"},
    files={
        "csv": File(
            path="dna_splice/dna.csv.xz",
            hash="sha256:03f208636de775141afde208e33fa9537da377279761f5cd5b49871a37f48264",
        )
    },
)
