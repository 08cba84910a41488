"""Draws docs/images/flow.svg: how far gradients reach back in a plain RNN and in an LSTM, on the same sequences.

.venv/bin/python scripts/flow_figure.py
"""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from recurra import Ragged, health
from recurra.cells import CELLS
from recurra.nn import Recurrent

FIGURE = Path(__file__).parent.parent / "docs" / "images" / "flow.svg"
STEPS, INPUTS, HIDDEN = 200, 16, 128
LAYERS = {
    "plain RNN": ("rnn-tanh", {}),
    "LSTM, forget bias 1": ("lstm", {}),
    "LSTM, chrono initialisation for 200 steps": ("lstm", {"chrono": STEPS}),
}


def flows() -> dict[str, tuple[float, ...]]:
    """The gradient of the last output at the state of each step before, 1 at the last, for each layer as it starts."""
    torch.manual_seed(0)
    x = Ragged.from_list([torch.randn(STEPS, INPUTS) for _ in range(8)])
    found = {}
    for name, (cell, options) in LAYERS.items():
        torch.manual_seed(1)
        found[name] = health(Recurrent(CELLS.get(cell), INPUTS, HIDDEN, **options), x).layers[0].flow
    return found


def main() -> None:
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, flow in flows().items():
        axes.semilogy(flow, label=name)
    axes.set(xlabel="steps back", ylabel="gradient, 1 at the last step", ylim=(1e-9, 2), xlim=(0, STEPS - 1))
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(FIGURE, metadata={"Date": None})
    print(FIGURE)


if __name__ == "__main__":
    main()
