"""A missing word: unseen by what predicts it, found from both sides."""

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.config import override
from recurra.errors import InputError
from recurra.modalities.text import Text, TextConfig
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.tasks import TASKS

WORDS = [*"abcdefgh"]
MODALITY = Text.fit(TextConfig(), [" ".join(WORDS)])
BOTH = {"trunk.bidirectional": True, "trunk.apart": True}
LEFT = {"trunk.bidirectional": False, "trunk.apart": False, "head.sides": "left"}


def model(**settings: object) -> Model:
    config = override(defaults(TASKS.get("fill")), {"trunk.hidden": 5, "trunk.embedding": 4, **settings})
    torch.manual_seed(1)
    return Model(config.model, MODALITY, {}).double().eval()


MODELS = {
    "one layer": model(**{"trunk.layers": 1, "trunk.apart": False}),
    "apart": model(**{"trunk.layers": 2, **BOTH}),
    "left": model(**{"trunk.layers": 2, **LEFT}),
}
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9)


def scores(net: Model, words: list[str]) -> torch.Tensor:
    """The score of each token at each word, [T, V]."""
    with torch.no_grad():
        features, _, _ = net.features(net.encoded([" ".join(words)]))
        return net.head.logits(net.head.around(features).values)


@pytest.mark.parametrize("name", MODELS)
@given(texts, st.data())
def test_a_word_does_not_hear_itself_but_all_that_it_may(name, words, data):
    net = MODELS[name]
    place = data.draw(st.integers(0, len(words) - 1))
    other = data.draw(st.sampled_from([w for w in WORDS if w != words[place]]))
    before, after = scores(net, words), scores(net, [*words[:place], other, *words[place + 1 :]])
    assert before.shape == (len(words), MODALITY.size)
    heard = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert heard == [i > place or (i < place and name != "left") for i in range(len(words))]


def test_the_loss_is_of_every_word_and_of_nothing_else():
    net = MODELS["apart"]
    frame = pd.DataFrame({"text": ["a b c", "", "d"]})
    (batch,) = net.batches(frame, "test", tokens=1000, truncation=0, shuffle=False).epoch(0, 0)
    total, count, _ = net(batch.inputs, batch.targets)
    expected = [
        torch.nn.functional.cross_entropy(scores(net, words), net.modality.encode(" ".join(words)), reduction="sum")
        for words in (["a", "b", "c"], ["d"])
    ]
    assert count == 4
    torch.testing.assert_close(total, sum(expected))


def test_blanks_are_filled_and_without_one_every_word_is_guessed():
    net = MODELS["apart"]
    blank, plain, two = net.predict(["a ___ c", "a b", "___ b ___"])
    assert [len(blank["blanks"]), len(two["blanks"])] == [1, 2]
    assert plain["tokens"] == ["a", "b"] and len(plain["words"]) == 2
    found = blank["blanks"][0]
    assert len(found) == 5 and found == sorted(found, key=lambda n: -n["probability"])
    assert found[0]["token"] == MODALITY.decode([int(scores(net, ["a", "b", "c"])[1].argmax())])


@pytest.mark.parametrize(
    "settings",
    [
        {"trunk.layers": 2, "trunk.apart": False},
        {"trunk.merge": "sum"},
        {"trunk.bidirectional": False},
        {"head.sides": "left"},
    ],
)
def test_a_trunk_that_would_show_the_word_is_refused(settings):
    with pytest.raises(InputError, match=r"head missing: the word itself must be unseen|head\.sides: left needs"):
        model(**settings)
