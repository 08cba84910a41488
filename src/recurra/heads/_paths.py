"""Forecasts of a network that says one step at a time: what it said of a step is what it reads at the next one."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from recurra.heads._outputs import Output
from recurra.heads.base import Reading
from recurra.modalities.panel import Panel
from recurra.sequences import Ragged, State
from recurra.timeline import Numbers

SEED = 0


def fill(inputs: Tensor, places: Tensor, wanted: Tensor, there: Tensor) -> Tensor:
    """inputs: [N, I]. places: [M], the steps after those that ``wanted`` [M] is about. Returns inputs with what these
    were, as a panel has them: standardised, and a flag where they are known."""
    before = inputs[places - 1]
    y = before[:, Panel.BASE] + before[:, Panel.SPREAD] * wanted
    found = inputs.clone()
    found[places, Panel.LAST] = torch.where(there, y, 0).to(inputs.dtype)
    found[places, Panel.KNOWN] = there.to(inputs.dtype)
    return found


def sampled(
    run: Reading,
    say: Callable[[Tensor], Tensor],
    output: Output,
    inputs: Ragged,
    horizon: int,
    count: int,
    levels: Numbers,
) -> tuple[Ragged, Tensor, State]:
    """Each step's quantiles over ``count`` paths, each drawn step by step: values [B * h, L], as features are given.

    run: of the model, over sequences. say: from features [M, F] to what is said of a step [M, size]. The same draws are
    made for every window, so that no forecast depends on what it is batched with.
    """
    device, rows = inputs.values.device, len(inputs)
    draws = _levels(count, horizon)
    starts = inputs.offsets[1:] - horizon
    first = Ragged.from_list([row[: len(row) - horizon + 1] for row in inputs.unbind()])
    features, last, state = run(first, None)
    given = say(features.values[features.offsets[1:] - 1]).repeat_interleave(count, 0)
    state = state.select(torch.arange(rows, device=device).repeat_interleave(count))
    paths = np.empty((rows, count, horizon))
    known = torch.ones(rows * count, dtype=torch.bool, device=device)
    for step in range(horizon):
        level = np.tile(draws[:, step], rows)
        drawn = output.at(given.detach().cpu(), level, np.ones(rows * count))
        paths[:, :, step] = drawn.reshape(rows, count)
        if step + 1 == horizon:
            break
        # Of each path the step before and this one, so that the one before says what the drawn value means.
        pairs = torch.stack([starts + step, starts + step + 1], 1).repeat_interleave(count, 0).flatten()
        after = torch.arange(1, 2 * rows * count, 2, device=device)
        values = fill(inputs.values[pairs], after, torch.from_numpy(drawn).to(inputs.values), known)[after]
        features, _, state = run(Ragged(values, torch.arange(rows * count + 1, device=device)), state)
        given = say(features.values)
    quantiles = np.quantile(paths, levels, axis=1).transpose(1, 2, 0).reshape(rows * horizon, len(levels))
    values = torch.from_numpy(np.ascontiguousarray(quantiles)).to(features.values)
    return Ragged(values, torch.arange(rows + 1, device=device) * horizon), last, state


def _levels(count: int, horizon: int) -> Numbers:
    """[count, h], at each step every share of the paths once, in an order of its own."""
    draw = np.random.default_rng(SEED)
    return np.stack([(draw.permutation(count) + 0.5) / count for _ in range(horizon)], axis=1)
