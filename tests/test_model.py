"""What a model adds to its parts: dropout of whole vocabulary entries, penalties in the loss."""

import pandas as pd
import pytest
import torch

from recurra.config import override
from recurra.errors import InputError
from recurra.modalities.text import Text, TextConfig
from recurra.model import Model
from recurra.nn import activation_penalty, slowness_penalty
from recurra.runs.config import defaults
from recurra.tasks import TASKS

FRAME = pd.DataFrame({"text": ["the cat sat on the mat", "the dog did not"]})


def model(**trunk: object) -> Model:
    quiet = {"input_dropout": 0.0, "dropout": 0.0, "hidden": 8, "embedding": 4}
    changes = {f"trunk.{name}": value for name, value in {**quiet, **trunk}.items()}
    config = override(defaults(TASKS.get("language-model")), {"modality.unit": "word", **changes})
    torch.manual_seed(0)
    return Model(config.model, Text.fit(TextConfig(), FRAME["text"], running=True), {})


def batch(net: Model):
    (found,) = net.batches(FRAME, "test", tokens=1000, truncation=0, shuffle=False).epoch(0, 0)
    return found


def test_penalties_are_added_to_the_mean_loss():
    plain, penalised = model(), model(activation_penalty=2.0, slowness_penalty=0.5)
    given = batch(plain)
    total, count, _ = plain(given.inputs, given.targets)
    with_penalty, same, _ = penalised(given.inputs, given.targets)
    y, _, _ = plain.features(given.inputs)
    expected = total / count + 2.0 * activation_penalty(y) + 0.5 * slowness_penalty(y)
    assert same == count
    torch.testing.assert_close(with_penalty / count, expected)


def test_the_activation_penalty_is_of_what_dropout_leaves():
    net = model(activation_penalty=1.0, output_dropout=0.9)
    given = batch(net)
    losses = {net(given.inputs, given.targets)[0].item() for _ in range(3)}
    assert len(losses) == 3
    net.eval()
    assert len({net(given.inputs, given.targets)[0].item() for _ in range(3)}) == 1


def test_embedding_dropout_acts_in_training_alone():
    net = model(embedding_dropout=0.5)
    given = batch(net)
    the = given.inputs.values == net.tokens.encode("the")[0]
    seen = []
    net.input_dropout.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].values.detach()))
    for _ in range(8):
        net(given.inputs, given.targets)
    assert all(len(vectors[the].unique(dim=0)) == 1 for vectors in seen)
    assert {bool(vectors[the].any()) for vectors in seen} == {True, False}
    net.eval()
    net(given.inputs, given.targets)
    assert torch.equal(seen[-1], net.encoder(given.inputs.values))


@pytest.mark.parametrize("wrong", [{"output_dropout": 1.0}, {"output_dropout": -0.5}, {"activation_penalty": -1.0}])
def test_wrong_amounts_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=f"trunk.{name}: expected"):
        model(**wrong)
