"""How gradients flow through a recurrent network: whether they vanish or explode, and where a NaN comes from."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from recurra.model import Model
from recurra.nn import Recurrent
from recurra.sequences import Ragged, State

# A gate this near to an end of its range hardly moves: its slope is below a fifth of the steepest.
SATURATED = 0.05
# A gradient that has grown so much on its way back explodes.
EXPLODED = 10.0


@dataclass(frozen=True)
class LayerHealth:
    """One recurrent layer over one batch. name: within the module. cell: its name.

    flow: mean norm of the gradient of a sequence's last output to the state so many steps back, the first at the last
    step; each divided by the first. memory: steps back until it has fallen to 1/e; that is math.inf where it has not.
    saturated: by gate, share of its values within 0.05 of an end of its range. nan: name of the first state or gate
    that is no number, and its step; None: all are.
    """

    name: str
    cell: str
    flow: tuple[float, ...]
    memory: float
    saturated: dict[str, float]
    nan: tuple[str, int] | None

    def __str__(self) -> str:
        name, steps = f"{self.name or 'itself'} ({self.cell})", len(self.flow)
        if self.nan is not None:
            return f"{name}: {self.nan[0]} is no number any more at step {self.nan[1]}"
        reach = f"all {steps} steps" if self.memory == math.inf else f"{self.memory:.0f} step{'s' * (self.memory != 1)}"
        grown = f", growing {max(self.flow):.2g} times" if steps and max(self.flow) > EXPLODED else ""
        gates = ", ".join(f"{gate} {share:.0%}" for gate, share in self.saturated.items())
        return f"{name}: gradients reach {reach} back{grown}" + (f"; saturated gates: {gates}" if gates else "")


@dataclass(frozen=True)
class Health:
    """layers: as they run, each with its figures."""

    layers: tuple[LayerHealth, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.layers))


def health(module: nn.Module, batch: Ragged | Iterable[Any]) -> Health:
    """How gradients flow through each ``Recurrent`` layer of a module.

    module: a layer of ``recurra.nn`` that takes a Ragged, or a model. batch: what it is called with, or a model's raw
    rows. Runs the module once, as in evaluation, and each layer once more step by step; changes nothing.

    >>> from recurra.cells import CELLS
    >>> layer = Recurrent(CELLS.get("rnn-tanh"), 3, 16)
    >>> _ = layer.params["U"].data.mul_(0.5)  # every step back halves the gradient, or worse
    >>> health(layer, Ragged.from_list([torch.randn(20, 3)])).layers[0].memory < 4
    True
    """
    if isinstance(module, Model) and not isinstance(batch, Ragged):
        batch = module.modality.encode_all(list(batch))
    assert isinstance(batch, Ragged)
    names = {layer: name for name, layer in module.named_modules() if isinstance(layer, Recurrent)}
    given: list[tuple[Recurrent, Ragged, State | None]] = []

    def note(layer: nn.Module, args: tuple[Any, ...]) -> None:
        assert isinstance(layer, Recurrent)
        given.append((layer, args[0].detach(), args[1] if len(args) > 1 else None))

    hooks = [layer.register_forward_pre_hook(note) for layer in names]
    before = module.training
    module.eval()
    try:
        with torch.no_grad():
            (module.features if isinstance(module, Model) else module)(batch)
        for hook in hooks:
            hook.remove()  # the layers are called again below
        return Health(tuple(_layer(names[layer], layer, x, state) for layer, x, state in given))
    finally:
        for hook in hooks:
            hook.remove()
        module.train(before)


def _layer(name: str, layer: Recurrent, x: Ragged, state: State | None) -> LayerHealth:
    seen = layer.inspect(x, state)
    ends = {gate: (seen[gate].values.abs() > 1 - SATURATED) for gate in layer.cell.gates if gate in seen}
    for gate in ends:
        if seen[gate].values.min() >= 0:  # a sigmoid, whose other end is zero
            ends[gate] |= seen[gate].values < SATURATED
    flow = _flow(layer, x)
    return LayerHealth(
        name=name,
        cell=layer.cell.name,
        flow=flow,
        memory=next((float(lag) for lag, norm in enumerate(flow) if norm < 1 / math.e), math.inf),
        saturated={gate: share.float().mean().item() for gate, share in ends.items()},
        nan=_first_nan(seen, layer),
    )


def _flow(layer: Recurrent, x: Ragged) -> tuple[float, ...]:
    """Sequences run side by side so that all end at the same step; the longest begins first."""
    rows = sorted((row for row in x.unbind() if len(row)), key=len, reverse=True)
    if not rows:
        return ()
    rows = [row.flip(0) for row in rows] if layer.reverse else rows
    steps = len(rows[0])
    state, states = layer.initial_state(0), list[State]()
    with torch.enable_grad():
        for left in range(steps, 0, -1):
            begun = [row for row in rows if len(row) >= left]
            fresh = layer.initial_state(len(begun) - len(state))
            begins = {name: fresh[name].detach().requires_grad_() for name in fresh}
            state = State({name: torch.cat([state[name], begins[name]]) for name in state})
            _, state = layer(Ragged.from_list([row[len(row) - left].unsqueeze(0) for row in begun]), state)
            states.append(state)
        last = layer.last(state)
        total = (last @ torch.randn(last.shape[1], dtype=last.dtype, device=last.device)).sum()
    grads = torch.autograd.grad(
        total, [s[name] for s in states for name in s], allow_unused=True, materialize_grads=True
    )
    found = iter(grads)
    norms = [torch.cat([next(found) for _ in s], dim=1).norm(dim=1).mean().item() for s in states]
    return tuple(norm / norms[-1] for norm in reversed(norms))


def _first_nan(seen: dict[str, Ragged], layer: Recurrent) -> tuple[str, int] | None:
    """Gates come before the states that are made of them."""
    found: list[tuple[int, str]] = []
    for name in (*layer.cell.gates, *layer.cell.states):
        for row in seen[name].unbind() if name in seen else ():
            bad = (~row.isfinite()).any(dim=1).nonzero().flatten()
            if len(bad):
                found.append((len(row) - 1 - int(bad[-1]) if layer.reverse else int(bad[0]), name))
    if not found:
        return None
    step, name = min(found, key=lambda pair: pair[0])
    return name, step
