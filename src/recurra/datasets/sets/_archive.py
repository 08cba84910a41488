"""Sets of the UCR and UEA archives of time series, as aeon brings them."""

from collections.abc import Mapping
from functools import partial

from recurra.datasets.base import Columns, Dataset, File
from recurra.datasets.files import decode
from recurra.datasets.ts import ts_columns

ADDRESS = "https://raw.githubusercontent.com/aeon-toolkit/aeon/v1.6.0/aeon/datasets/data"


def archived(name: str, series: str, *, summary: str, size: str, source: str, train: str, test: str) -> Dataset:
    """A set with the archive's own split. name: Recurra's. series: the archive's. train, test: the files' sha256."""
    return Dataset(
        name=name,
        summary=summary,
        size=size,
        task="gesture",
        licence="not stated; the archive is for research",
        source=source,
        read=partial(_read, series),
        files={
            split: File(
                path=f"ucr_uea/{series}_{split.upper()}.ts.xz",
                hash=f"sha256:{digest}",
                url=f"{ADDRESS}/{series}/{series}_{split.upper()}.ts",
            )
            for split, digest in (("train", train), ("test", test))
        },
    )


def _read(series: str, files: Mapping[str, bytes]) -> dict[str, Columns]:
    return {
        split: {**ts_columns(decode(data, "utf-8", f"{series}_{split}"), f"{series}_{split}")}
        for split, data in files.items()
    }
