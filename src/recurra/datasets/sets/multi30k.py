"""Sentences about photographs in English, German and French, each a translation of the others.

The test set is the one of 2016, ``test_2016_flickr``, which most published figures are on.
"""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File
from recurra.datasets.tables import lines

_URL = "https://raw.githubusercontent.com/multi30k/dataset/c9be912dc05a3ebf9ae5bb5f7f58c1791cda43ab/data/task1/raw/"
_LANGUAGES = ("de", "en", "fr")

# Of the content, and of the compressed file that is public.
_HASHES = {
    "train.de": (
        "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
        "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    ),
    "train.en": (
        "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
        "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    ),
    "train.fr": (
        "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d",
        "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    ),
    "val.de": (
        "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
        "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    ),
    "val.en": (
        "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
        "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    ),
    "val.fr": (
        "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc",
        "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
    ),
    "test_2016_flickr.de": (
        "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
        "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    ),
    "test_2016_flickr.en": (
        "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
        "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    ),
    "test_2016_flickr.fr": (
        "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6",
        "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
    ),
}
_PARTS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    return {
        split: {language: lines(files[f"{part}.{language}"].decode()) for language in _LANGUAGES}
        for split, part in _PARTS.items()
    }


MULTI30K = Dataset(
    name="multi30k",
    summary="sentences about photographs in German, English and French; columns de, en, fr",
    size="29,000 / 1,014 / 1,000 sentences, each three times",
    task="translation",
    licence="for research, not commercial (texts from Flickr30K)",
    source="Elliott et al. 2016, https://aclanthology.org/W16-3210",
    read=_read,
    files={
        name: File(f"multi30k/{name}.gz", f"sha256:{content}", f"{_URL}{name}.gz", f"sha256:{compressed}")
        for name, (content, compressed) in _HASHES.items()
    },
    columns={"text": "de", "target": "en"},
)
