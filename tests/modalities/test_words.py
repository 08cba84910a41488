"""Words with their characters and capitals, rare words, and vectors from files."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recurra.errors import DataError, InputError, MissingFileError
from recurra.modalities._spelling import LONGEST, Spelling
from recurra.modalities._words import Characters, WordEncoder
from recurra.modalities.text import Text, TextConfig

ROWS = [("Peter", "saw", "IBM", "in", "1999"), ["saw", "ibm", "Mary", ""], "he saw, in Rome"]


def fit(*rows: Any, **settings: Any) -> Text:
    return Text.fit(TextConfig(**settings), rows or ROWS)


SPELLED = {"lower": True, "zero_digits": True, "characters": 6, "capitals": 2, "rare_dropout": 0.5}


def test_words_are_looked_up_small_and_spelled_as_they_are() -> None:
    text = fit(**SPELLED)
    values = text.encode(("IBM", "ibm", "1888", "1999"))
    assert values.shape == (4, 2 + LONGEST)
    assert values[0, 0] == values[1, 0] > 1
    assert not torch.equal(values[0, 1:], values[1, 1:])
    assert torch.equal(values[2], values[3])
    assert text.tokens("IBM 1999.") == ["IBM", "1999", "."]
    assert text.decode(values) == "ibm ibm 0000 0000"


def test_a_text_is_as_the_list_of_its_tokens() -> None:
    text = fit(**SPELLED)
    assert torch.equal(text.encode("he saw, in Rome"), text.encode(["he", "saw", ",", "in", "Rome"]))


@given(words=st.lists(st.text(max_size=60), min_size=1, max_size=8))
def test_any_words_have_features(words: list[str]) -> None:
    spelling = Spelling.fit(words)
    found = spelling.features(words)
    assert found.shape == (len(words), 1 + LONGEST)
    lengths = (found[:, 1:] > 0).sum(1)
    assert lengths.tolist() == [min(len(word), LONGEST) for word in words]


def test_of_a_long_word_both_ends_are_read() -> None:
    spelling = Spelling(list("abcd"))
    long = "ab" + "c" * 100 + "dd"
    assert spelling.alphabet.decode(spelling.features([long])[0, 1:].tolist()) == "ab" + "c" * (LONGEST - 4) + "dd"


def test_a_character_of_one_word_alone_is_unknown() -> None:
    assert Spelling.fit({"ab", "bc", "dd"}).alphabet.characters == ["b"]


def test_each_distinct_word_is_read_once_and_alone_as_together() -> None:
    read: list[int] = []
    layer = Characters(9, 5).double()
    layer.layer.register_forward_hook(lambda _, inputs, __: read.append(len(inputs[0])))
    words = torch.zeros(5, LONGEST, dtype=torch.int32)
    words[0, :3], words[1, :2], words[2, :3], words[4, :] = torch.tensor([2, 3, 4]), 2, torch.tensor([2, 3, 4]), 8
    together = layer(words)
    assert together.shape == (5, 5)
    assert read == [4]  # two are the same; one has no character at all
    assert torch.equal(together[0], together[2])
    assert torch.equal(together[3], torch.zeros(5, dtype=torch.float64))
    for word, vector in zip(words, together, strict=True):
        torch.testing.assert_close(layer(word[None])[0], vector)


def test_no_steps_and_one_character_wide_words() -> None:
    encoder = fit(**SPELLED).encoder(12)
    assert encoder(torch.zeros(0, 2 + LONGEST, dtype=torch.int32)).shape == (0, 12)


def test_rare_words_are_forgotten_in_training_only() -> None:
    text = fit(lower=True, rare_dropout=0.5)
    encoder = text.encoder(4)
    assert isinstance(encoder, WordEncoder)
    rare, common = text.encode(["mary"] * 400 + ["saw"] * 100).split([400, 100])
    with torch.no_grad():
        forgotten = (encoder(rare) == encoder.table.weight[1]).all(1)
        assert 0.4 < forgotten.float().mean() < 0.6
        assert torch.equal(encoder(common), encoder.table(common))
        assert torch.equal(encoder.eval()(rare), encoder.table(rare))


def test_parts_fill_the_width_or_are_refused() -> None:
    encoder = fit(**SPELLED).encoder(12)
    assert isinstance(encoder, WordEncoder)
    assert encoder.table.embedding_dim == 4
    with pytest.raises(InputError, match=r"trunk\.embedding: expected more than .* together, got 8"):
        fit(**SPELLED).encoder(8)
    with pytest.raises(InputError, match=r"modality\.characters: for unit word or space, not for bpe"):
        TextConfig(unit="bpe", characters=4)
    with pytest.raises(InputError, match=r"modality\.characters: expected 2 or more, or 0 for none, got 1"):
        TextConfig(characters=1)


# --- vectors ---

VECTORS = {"saw": [1.0, -2.0, 0.5], "Rome": [0.25, 4.0, -1.0], "other": [3.0, 3.0, 3.0]}


def write(path: Path, header: str = "") -> str:
    lines = "".join(f"{word} {' '.join(map(str, vector))}\n" for word, vector in VECTORS.items())
    path.write_text(header + lines + "saw 9 9 9\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("header", ["", "3 3\n"])
def test_vectors_of_a_file_are_what_the_table_begins_with(tmp_path: Path, header: str) -> None:
    text = fit(vectors=write(tmp_path / "a.vec", header))
    encoder = text.encoder(3)
    assert isinstance(encoder, nn.Embedding)
    ids = text.encode(["saw", "Rome", "other", "mary"])
    assert encoder(ids[:3]).tolist() == list(VECTORS.values())
    assert ids.tolist()[3] == 1 and text.unknown("other") == []


def test_vectors_may_be_narrower_than_the_input_and_stand_beside_characters(tmp_path: Path) -> None:
    text = fit(vectors=write(tmp_path / "a.txt"), lower=True, characters=4, max_vocab=0)
    encoder = text.encoder(10)
    assert isinstance(encoder, WordEncoder)
    assert encoder.table(text.encode(["ROME"])[:, 0]).tolist() == [VECTORS["Rome"]]
    assert encoder(text.encode(["ROME"])).shape == (1, 10)


def test_a_limit_of_the_vocabulary_keeps_the_words_of_training(tmp_path: Path) -> None:
    rows = ["saw Rome"]
    assert Text.fit(TextConfig(vectors=write(tmp_path / "a.txt"), max_vocab=4), rows).size == 4
    assert Text.fit(TextConfig(vectors=write(tmp_path / "a.txt"), max_vocab=5), rows).size == 5


def test_a_saved_vocabulary_needs_the_file_no_more(tmp_path: Path) -> None:
    text = fit(vectors=write(tmp_path / "a.txt"), characters=4)
    (tmp_path / "a.txt").unlink()
    again = Text.from_json(json.loads(json.dumps(text.to_json())))
    again.encoder(10).load_state_dict(text.encoder(10).state_dict())
    assert torch.equal(again.encode_all(ROWS).values, text.encode_all(ROWS).values)


def test_vectors_may_be_compressed_and_words_may_have_spaces(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.vec.gz", "wt", encoding="utf-8") as file:
        file.write("in 1 2\n. . . 5 6\n\x85 7 8\n")
    text = fit(vectors=str(tmp_path / "a.vec.gz"))
    assert text.encode([". . .", "\x85", "in"]).min() > 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a 1 2\nb 1 x\n", "line 2: expected a word and 2 numbers, got 'b 1 x"),
        ("a 1 2\nb 1\n", "line 2: expected a word and 2 numbers"),
        ("a 1 2\nb 1 nan\n", "line 2: expected a word and 2 numbers"),
        ("a\nb\n", "line 1: expected a word and some numbers"),
        ("", "holds no vector of a word"),
    ],
)
def test_what_is_no_vector_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.vec").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        fit("a b", vectors=str(tmp_path / "a.vec"))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(MissingFileError, match=r"nowhere\.vec: no such file of word vectors \(modality\.vectors\)"):
        fit(vectors="nowhere.vec")


def test_features_are_small_whole_numbers() -> None:
    assert fit(**SPELLED).encode_all(ROWS).values.dtype == torch.int32
    assert Spelling.fit(["a"]).features([]).dtype == np.int32
