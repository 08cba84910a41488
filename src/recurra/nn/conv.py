"""Recurrent layers over frames: the matrix products of a cell as convolutions."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recurra.cells import Cell
from recurra.cells.lstm import lstm
from recurra.cells.lstm_peephole import lstm_peephole
from recurra.compile import unroll_frames
from recurra.errors import InputError
from recurra.nn.checks import check_like, check_sizes
from recurra.nn.initial import draw_biases, draw_input, draw_own
from recurra.nn.recurrent import Layer, gate_biases, projected_units
from recurra.sequences import Ragged, State


class Convolutional(Layer):
    """One cell over sequences of frames (videos, maps of rain), every matrix product of which is a convolution.

    Each place of a frame has the cell's states, and hears its neighbours. With ``lstm`` that is ConvLSTM (Shi et al.
    2015, https://arxiv.org/abs/1506.04214), with ``gru`` ConvGRU (Ballas et al. 2016, https://arxiv.org/abs/1511.06432);
    any cell will do. Sequences may have different lengths, and a batch's frames any one size; a frame is surrounded by
    zeros. torch makes the convolutions, on any device.

    cell: from ``recurra.cells``, or your own. input_size: I, channels of a frame. hidden_size: H, channels of a state.
    kernel_size: k, the side of all kernels, an odd number. frame: height and width of all frames, where the cell's own
    vectors, such as peepholes, are to have a value for each place; else they have one for all. The rest as for
    ``Recurrent``; recurrent matrices are orthogonal as [H, H*k*k].

    ``forward`` takes values [N, I, height, width] and returns [N, output_size, height, width]; states, and ``last``,
    are [B, size, height, width]. What is alike at all places may be given as [B, size, 1, 1], as ``initial_state`` is.

    >>> from recurra.cells.gru import gru
    >>> layer = Convolutional(gru, input_size=1, hidden_size=4, kernel_size=3)
    >>> layer(Ragged.from_list([torch.randn(7, 1, 16, 12), torch.randn(2, 1, 16, 12)]))
    (Ragged(B=2, N=9, features=[4, 16, 12], dtype=torch.float32), State(h: [2, 4, 16, 12]))
    """

    reverse: bool

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        kernel_size: int = 3,
        *,
        frame: tuple[int, int] | None = None,
        projection_size: int = 0,
        bias: bool = True,
        reverse: bool = False,
        gate_bias: Mapping[str, float] | None = None,
    ):
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, kernel_size=kernel_size)
        if kernel_size % 2 == 0:
            raise InputError(f"kernel_size: expected an odd number, as a kernel has a middle, got {kernel_size}")
        if frame is not None:
            check_sizes(**dict(zip(("frame height", "frame width"), frame, strict=True)))
        self.projection_size = projected_units(cell, hidden_size, projection_size)
        self.gate_bias = gate_biases(cell, gate_bias, bias)
        self.cell, self.input_size, self.hidden_size, self.kernel_size = cell, input_size, hidden_size, kernel_size
        self.frame, self.reverse = frame, reverse
        self.state_sizes = cell.sizes(hidden_size, projection_size)
        self.output_size = self.state_sizes[cell.output]
        rows, kernel = len(cell.gates) * hidden_size, (kernel_size, kernel_size)
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size, *kernel))
        self.bias_ih = nn.Parameter(torch.empty(rows)) if bias else None
        shapes: dict[str, tuple[int, ...]] = {}
        for name, shape in cell.parameter_shapes(hidden_size, projection_size).items():
            shapes[name] = (*shape, *kernel) if len(shape) == 2 else (*(frame or ()), *shape)
        self.params = nn.ParameterDict({name: nn.Parameter(torch.empty(shape)) for name, shape in shapes.items()})
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the weights anew."""
        draw_input(self.cell, self.weight_ih)
        for name, sizes in self.cell.param_sizes().items():
            height = self.projection_size if sizes[0].letter == "R" else self.hidden_size
            draw_own(self.cell.params[name], self.params[name], height)
        draw_biases(self.cell, self.bias_ih, dict(self.params), self.gate_bias)

    def forward(self, x: Ragged, state: State | None = None) -> tuple[Ragged, State]:
        height, width = self.frame or ("height", "width")
        check_like("x", x.values, ("N", self.input_size, height, width), self.weight_ih)
        frame = x.values.shape[2:]
        if state is None:
            state = self.initial_state(len(x))
        initial = []
        for name, size in self.state_sizes.items():
            alike = state[name].shape[2:] == (1, 1)
            check_like(f"state {name}", state[name], (len(x), size, *((1, 1) if alike else frame)), self.weight_ih)
            initial.append(state[name].expand(-1, -1, *frame))
        weights = self.weight_ih, self.bias_ih, dict(self.params)
        y, finals = unroll_frames(self.cell, x, *weights, tuple(initial), self.reverse)
        return y, State(dict(zip(self.state_sizes, finals, strict=True)))

    def initial_state(self, rows: int) -> State:
        return State({name: self.weight_ih.new_zeros(rows, size, 1, 1) for name, size in self.state_sizes.items()})

    def last(self, state: State) -> Tensor:
        return state[self.cell.output]

    def extra_repr(self) -> str:
        parts = [self.cell.name, f"{self.input_size}", f"{self.hidden_size}", f"kernel_size={self.kernel_size}"]
        parts += [f"frame={self.frame}"] if self.frame else []
        parts += [f"projection_size={self.projection_size}"] if self.projection_size else []
        parts += ["bias=False"] if self.bias_ih is None else []
        return ", ".join(parts + (["reverse=True"] if self.reverse else []))


def ConvLSTM(
    input_size: int,
    hidden_size: int,
    kernel_size: int = 3,
    *,
    peepholes: tuple[int, int] | None = None,
    reverse: bool = False,
) -> Convolutional:
    """The convolutional LSTM of Shi et al. 2015, https://arxiv.org/abs/1506.04214, as a ``Convolutional`` layer.

    peepholes: height and width of the frames; the gates then look at the cell, with a weight for each place, as in the
    paper (equation 3). Without, frames may have any size, and weights are those of Keras' ConvLSTM2D.

    >>> video = Ragged.from_list([torch.randn(7, 3, 16, 16), torch.randn(2, 3, 16, 16)])
    >>> y, state = ConvLSTM(3, 8)(video)
    >>> y, state.names
    (Ragged(B=2, N=9, features=[8, 16, 16], dtype=torch.float32), ('h', 'c'))
    """
    cell = lstm_peephole if peepholes else lstm
    return Convolutional(cell, input_size, hidden_size, kernel_size, frame=peepholes, reverse=reverse)
