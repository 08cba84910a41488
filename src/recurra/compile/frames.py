"""A cell over sequences of frames, its matrix products as convolutions: at every place the cell's own Python."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn.functional import conv2d, linear
from torch.overrides import TorchFunctionMode

from recurra.cells.base import Cell
from recurra.compile.choice import Choice, note
from recurra.compile.reference import scan
from recurra.sequences import Ragged

CHOICE = Choice("reference", "its products are convolutions, which torch makes")


def unroll_frames(
    cell: Cell,
    x: Ragged,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    params: Mapping[str, Tensor],
    initial: tuple[Tensor, ...],
    reverse: bool = False,
) -> tuple[Ragged, tuple[Tensor, ...]]:
    """As ``unroll``, over frames, in any dtype and on any device.

    x: values [N, I, height, width]. weight_ih: [G*H, I, k, k], k odd. params: matrices [rows, columns, k, k], vectors
    [size], or [height, width, size] where each place has its own. initial: [B, size, height, width] each. Returns
    values [N, size, height, width], and the states after the last step. Around a frame there are zeros.
    """
    note(cell, CHOICE, x.layout, reverse, [x.values, weight_ih], initial)
    # Equations take units last; convolutions take them second. For torch that is a matter of strides.
    wx = _convolved(x.values, weight_ih, bias_ih).movedim(1, -1)

    def step(_: int, now: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        with _Convolutions():
            return cell(now, *states, **params)

    y, finals = scan(x.layout, wx, tuple(s.movedim(1, -1) for s in initial), reverse, step)
    return x.with_values(y.movedim(-1, 1)), tuple(s.movedim(-1, 1) for s in finals)


class _Convolutions(TorchFunctionMode):
    """Inside it a product of [rows, height, width, columns] with a matrix [*, columns, k, k] is a convolution."""

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if function is not linear:
            return function(*args, **(kwargs or {}))
        x, weight, *bias = args
        y = _convolved(x.movedim(-1, 1), weight).movedim(1, -1)
        return y + bias[0] if bias else y


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
