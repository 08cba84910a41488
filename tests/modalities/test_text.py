"""Text to ids and back."""

import json
import time

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recurra.errors import InputError, UnknownNameError
from recurra.modalities.text import Text, TextConfig

UNITS = ("char", "word", "space", "bpe")
LOSSLESS = ("char", "bpe")

STRANGE = [
    "",
    "\n\n \t\r\n",
    "👩\u200d💻 ❤\ufe0f 🏴\U000e0067\U000e0062\U000e007f",
    "שָׁלוֹם עולם\u200f",
    "می\u200cخواهم",
    "हिन्दी भाषा",
    "<eos> <unk> \ufffd \0",
    "e\u0301 é \U0010ffff \x85\u2028",
]


def fit(unit: str, *texts: str, running: bool = False, **config: object) -> Text:
    return Text.fit(TextConfig(unit=unit, **config), texts or ("a",), running)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pieces() -> Text:
    return fit("bpe", "the quick brown fox jumps over the lazy dog\n" * 50, max_vocab=300)


# --- back to the same text ---


@given(texts=st.lists(st.text(), min_size=1).filter(any))
@example(texts=STRANGE)
@example(texts=["\ud800 half a pair", "\ud83d\ude00"])
def test_characters_are_lossless(texts: list[str]) -> None:
    text = fit("char", *texts)
    assert text.size == 2 + len(set("".join(texts)))
    for one in texts:
        ids = text.encode(one)
        assert (ids.dtype, ids.shape) == (torch.int64, (len(one),))
        assert ids.numel() == 0 or ids.min() >= 2
        assert text.decode(ids) == text.decode(ids.tolist()) == one


@given(known=st.text(min_size=1), other=st.text())
def test_unseen_characters_are_unknown_and_nothing_else_is(known: str, other: str) -> None:
    text = fit("char", known)
    encoded = text.encode_counted([other])
    assert encoded.unknown == sum(character not in known for character in other)
    assert text.decode(encoded.ragged.values) == "".join(c if c in known else "\ufffd" for c in other)


@given(one=st.text())
@example(one="".join(STRANGE))
def test_byte_pair_units_are_lossless_for_any_text(pieces: Text, one: str) -> None:
    encoded = pieces.encode_counted([one])
    assert encoded.unknown == 0
    assert pieces.decode(encoded.ragged.values) == one


def test_byte_pair_units_take_half_a_surrogate_pair_for_a_question_mark(pieces: Text) -> None:
    assert pieces.decode(pieces.encode("a\ud800b")) == "a?b"


def test_byte_pair_units_are_longer_than_a_byte(pieces: Text) -> None:
    assert 258 < pieces.size <= 300
    assert len(pieces.encode("the quick brown fox\n")) < 10
    assert "".join(pieces.tokens("the quick brown fox\n")) == "the quick brown fox\n"
    assert fit("bpe", "abc").settings.max_vocab == 8000


@given(words=st.lists(st.text(st.characters(exclude_categories=("Z", "Cc", "Cs")), min_size=1), min_size=1))
def test_words_between_white_space_come_back(words: list[str]) -> None:
    words = [word for word in " ".join(words).split() if word not in ("<eos>", "<unk>")] or ["a"]
    assert fit("space", " ".join(words)).decode(fit("space", " ".join(words)).encode(" ".join(words))) == " ".join(
        words
    )


@pytest.mark.parametrize(
    "sentence",
    [
        'Well, he said (twice): "it\'s 3.5 or 1,000!" - no?',
        "a [bracketed] “quotation”; and more…",
        "first line.\nsecond line",
        'never "closed\nand "closed" again',
    ],
)
def test_words_are_joined_as_they_are_written(sentence: str) -> None:
    text = fit("word", sentence, running=True)
    assert text.decode(text.encode(sentence)) == sentence


# --- what a token is ---


def test_words_have_punctuation_apart() -> None:
    text = fit("word")
    assert text.tokens("Don't (stop)... 3.5 <unk> rock'n'roll's 'a'") == (
        ["Don't", "(", "stop", ")", ".", ".", ".", "3.5", "<unk>", "rock'n'roll's", "'", "a", "'"]
    )
    assert text.tokens("हिन्दी भाषा। שָׁלוֹם, می\u200cخواهم") == ["हिन्दी", "भाषा", "।", "שָׁלוֹם", ",", "می\u200cخواهم"]
    assert text.tokens("❤\ufe0f👍 ok") == ["❤\ufe0f", "👍", "ok"]
    assert fit("space").tokens("Don't (stop)...") == ["Don't", "(stop)..."]
    assert fit("char").tokens("ab\n") == ["a", "b", "\n"]


@pytest.mark.parametrize("unit", ["word", "space"])
def test_a_line_end_is_a_token_in_running_text_only(unit: str) -> None:
    content = " a b \n\nc\n"
    running, apart = fit(unit, content, running=True), fit(unit, content)
    assert running.tokens(content) == ["a", "b", "<eos>", "<eos>", "c", "<eos>"]
    assert running.encode(content).tolist() == [2, 3, 0, 0, 4, 0]
    assert running.decode([2, 3, 0, 0, 4, 0]) == "a b\n\nc\n"
    assert apart.tokens(content) == ["a", "b", "c"]
    assert apart.encode(content).tolist() == [2, 3, 4]


@pytest.mark.parametrize("unit", ["word", "space"])
def test_a_literal_unk_is_unknown(unit: str) -> None:
    text = fit(unit, "a <unk> a b <eos>" if unit == "space" else "a <unk> a b")
    assert text.size == 4
    assert text.encode("b <unk> zebra a").tolist() == [3, 1, 1, 2]
    assert text.decode([3, 1]) == "b <unk>"


@pytest.mark.parametrize("unit", UNITS)
def test_ids_and_tokens_are_equally_many(unit: str) -> None:
    content = "One line, and\nanother: ünïcode 👍.\n"
    for running in (False, True):
        text = fit(unit, content, running=running)
        assert len(text.tokens(content)) == len(text.encode(content))
        assert int(text.encode(content).max()) < text.size


# --- which tokens are kept ---


def test_the_most_frequent_words_are_kept() -> None:
    content = "c c c b b a a d"
    assert fit("space", content).encode("c a b d").tolist() == [2, 3, 4, 5]
    assert fit("space", content, max_vocab=4).encode("c a b d").tolist() == [2, 3, 1, 1]
    assert fit("space", content, min_count=2).encode("c a b d").tolist() == [2, 3, 4, 1]
    assert fit("char", "cccbbaad", max_vocab=4).encode("cabd").tolist() == [3, 2, 1, 1]
    assert fit("char", "cccbbaad", min_count=3).encode("cabd").tolist() == [2, 1, 1, 1]


@pytest.mark.parametrize("unit", UNITS)
def test_lower_case_is_learnt_and_applied(unit: str) -> None:
    text = fit(unit, "THE Cat", lower=True)
    assert text.encode("the CAT").tolist() == text.encode("THE cat").tolist()
    assert 1 not in text.encode("the CAT").tolist()
    assert text.decode(text.encode("The Cat")) == "the cat"


@pytest.mark.parametrize("unit", UNITS)
def test_long_texts_are_cut_and_counted(unit: str) -> None:
    texts = ["a b c d e", "", "a b c", "zz zz zz zz"]
    text = fit(unit, *texts[:3], max_length=3)
    encoded = text.encode_counted(texts)
    whole = fit(unit, *texts[:3]).encode_all(texts)
    assert [len(row) for row in encoded.ragged.unbind()] == [min(3, len(row)) for row in whole.unbind()]
    assert all(torch.equal(a, b[:3]) for a, b in zip(encoded.ragged.unbind(), whole.unbind(), strict=True))
    assert encoded.cut == sum(len(row) > 3 for row in whole.unbind()) >= 2
    assert encoded.notes()[-1] == f"{encoded.cut} of 4 texts were longer than modality.max_length and were cut"


def test_what_is_lost_is_said_and_nothing_else() -> None:
    text = fit("space", "a b")
    assert text.encode_counted(["a", "b a"]).notes() == []
    assert text.encode_counted(["a", "b c"]).notes() == ["1 of 3 tokens are not in the vocabulary"]


# --- alone and together ---


@given(texts=st.lists(st.text(max_size=20), max_size=8), unit=st.sampled_from(UNITS), running=st.booleans())
@settings(max_examples=100)
def test_a_text_alone_and_among_others_is_the_same(texts: list[str], unit: str, running: bool) -> None:
    text = fit(unit, "some words\n", *STRANGE, running=running, **({"max_vocab": 300} if unit == "bpe" else {}))
    ragged = text.encode_all(texts)
    assert len(ragged) == len(texts)
    assert ragged.values.dtype == torch.int64
    for row, one in zip(ragged.unbind(), texts, strict=True):
        assert torch.equal(row, text.encode(one))


# --- saved and loaded, the encoder ---


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("running", [False, True])
def test_saved_and_loaded_it_is_the_same(unit: str, running: bool) -> None:
    text = fit(unit, "Some text.\n", *STRANGE, running=running, lower=True, max_length=100)
    saved = json.dumps(text.to_json())
    again = Text.from_json(json.loads(saved))
    assert json.dumps(again.to_json()) == saved
    assert (again.size, again.running, again.settings) == (text.size, running, text.settings)
    for one in ["Some text.\n", "unseen Ж", *STRANGE]:
        assert torch.equal(text.encode(one), again.encode(one))
        assert text.decode(text.encode(one)) == again.decode(again.encode(one))


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({}, InputError),
        ({"settings": {"unit": "char"}, "running": False}, InputError),
        ({"settings": {"unit": "char"}, "running": False, "vocabulary": [1, 2]}, InputError),
        ({"settings": {"unit": "bpe"}, "running": False, "vocabulary": {"model": "none"}}, InputError),
        ({"settings": {"unit": "cahr"}, "running": False, "vocabulary": []}, UnknownNameError),
    ],
)
def test_what_is_no_vocabulary_is_refused(values: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Text.from_json(values)


def test_the_encoder_has_a_small_vector_for_every_id() -> None:
    text = fit("char", "abcdefghij")
    encoder = text.encoder(64)
    assert encoder(text.encode("abc")).shape == (3, 64)
    assert encoder.num_embeddings == text.size == 12
    assert 0.05 < encoder.weight.std().item() < 0.2


# --- what is refused ---


@pytest.mark.parametrize("unit", UNITS)
def test_no_text_is_refused(unit: str) -> None:
    empty = ["", ""] if unit in LOSSLESS else ["", " \n"]
    for texts in (empty, []):
        with pytest.raises(InputError, match=f"nothing but empty texts in {len(texts)} training rows"):
            Text.fit(TextConfig(unit=unit), texts)  # type: ignore[arg-type]


@pytest.mark.parametrize("unit", ["char", "word", "space"])
def test_a_vocabulary_without_a_token_is_refused(unit: str) -> None:
    with pytest.raises(InputError, match=r"modality\.min_count: no token occurs 5 times or more"):
        fit(unit, "a b", min_count=5)


@pytest.mark.parametrize("config", [{"min_count": 0}, {"max_vocab": -1}, {"max_vocab": 2}, {"max_length": -1}])
def test_settings_out_of_range_are_refused(config: dict[str, int]) -> None:
    with pytest.raises(InputError, match=rf"modality\.{next(iter(config))}: expected"):
        TextConfig(**config)  # type: ignore[arg-type]


def test_too_few_byte_pair_units_for_all_bytes_are_refused() -> None:
    with pytest.raises(InputError, match=r"modality\.max_vocab: expected at least 258"):
        fit("bpe", "a", max_vocab=257)


# --- speed ---


def test_a_million_characters_and_words_take_no_second() -> None:
    """A loop over characters would take longer than this allows, by far."""
    content = "the quick brown fox jumps over the lazy dog ,\n" * 25_000
    for unit in ("char", "space"):
        text = fit(unit, content, running=True)
        start = time.perf_counter()
        count = len(text.encode(content))
        rate = count / (time.perf_counter() - start)
        assert rate > {"char": 10e6, "space": 0.5e6}[unit]


@pytest.mark.parametrize("unit", ["word", "space"])
def test_a_vocabulary_from_before_words_were_spelled_is_read(unit):
    text = Text.fit(TextConfig(unit=unit), ["a b a", "c"])
    values = text.to_json()
    for name in ("rare", "alphabet", "width"):
        del values[name]
    again = Text.from_json(values)
    assert again.encode("c a d").tolist() == text.encode("c a d").tolist()
    assert again.encoder(4).weight.shape == (text.size, 4)
