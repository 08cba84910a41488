"""How a cell is declared: its gates, its states and its parameters, beside its equations.

    @cell(gates=("r", "z", "n"), states=("h",))
    def gru(wx, h, *, U=Matrix("3H", "H"), b=Vector("3H")): ...

``wx`` is the projected input, G gates of H units with the input bias included; the layer makes it, for all steps at
once. Then come the states, in the order declared, and after the star the cell's own parameters. Sizes are H, the
hidden units, or R, the units of a projected state, or whole multiples of them. The function returns the new states.

A parameter may also be random: a ``Mask`` stays the same for a whole sequence, ``Noise`` is drawn anew at every step.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.overrides import handle_torch_function, has_torch_function_unary

from recurra.errors import InputError

__all__ = ["Cell", "Mask", "Matrix", "Noise", "Vector", "cell", "clip_gradient", "linear"]


@dataclass(frozen=True)
class Size:
    """``factor`` times H or R, written "H", "3H" or "R"."""

    factor: int
    letter: str

    @staticmethod
    def parse(text: str, where: str) -> "Size":
        match = re.fullmatch(r"([1-9]\d*)?([HR])", text) if isinstance(text, str) else None
        if match is None:
            raise InputError(f"{where}: expected a size such as 'H', '3H' or 'R', got {text!r}")
        return Size(int(match[1] or 1), match[2])

    def __call__(self, hidden: int, projected: int) -> int:
        return self.factor * (projected if self.letter == "R" else hidden)

    def __str__(self) -> str:
        return self.letter if self.factor == 1 else f"{self.factor}{self.letter}"


@dataclass(frozen=True)
class Parameter:
    """A declared parameter. sizes: size expressions, as written. init, heads, gates: see Matrix and Vector."""

    sizes: tuple[str, ...]
    init: str | float | tuple[float, float]
    heads: bool = False
    gates: bool = False


@dataclass(frozen=True)
class Random:
    """A declared random value. size: a size expression. each: what it is drawn for, a sequence or a step."""

    size: str
    each: Literal["sequence", "step"]


def Matrix(
    rows: str, columns: str, init: Literal["orthogonal", "xavier"] = "orthogonal", *, heads: bool = False
) -> Any:
    """Declares a matrix [rows, columns], filled block by block (H or R rows each) with an orthogonal or Xavier draw.

    heads: in a layer of several heads it is block-diagonal, each head hearing only itself.
    """
    return Parameter((rows, columns), init, heads)


def Vector(size: str, init: float | tuple[float, float] = 0.0, *, gates: bool = False) -> Any:
    """Declares a vector [size], filled with a constant, or uniformly from one number to another.

    gates: it is the gates' bias, H elements each, where that of the input projection does not reach them as it is.
    """
    return Parameter((size,), init if isinstance(init, tuple) else float(init), gates=gates)


def Mask(size: str) -> Any:
    """Declares a value that is fixed for a whole sequence: a layer gives [B, size], the equations get [rows, size]."""
    return Random(size, "sequence")


def Noise(size: str) -> Any:
    """Declares uniform random numbers in [0, 1), drawn at every step from a key for each sequence: the layer gives keys
    [B], the equations get [rows, size]. The same key gives the same numbers, whatever the sequence is batched with."""
    return Random(size, "step")


def clip_gradient(x: Tensor, limit: float) -> Tensor:
    """x itself; the gradient that comes back through it is clipped to [-limit, limit], element by element."""
    if has_torch_function_unary(x):
        return handle_torch_function(clip_gradient, (x,), x, limit)
    return cast(Tensor, _ClipGradient.apply(x, limit))  # type: ignore[no-untyped-call]


class _ClipGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, limit: float) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        ctx.limit = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0].clamp(-ctx.limit, ctx.limit), None


BY_KEY: "WeakValueDictionary[str, Cell]" = WeakValueDictionary()


class Cell:
    """A declared cell. Final; made by the ``cell`` decorator, which refuses a malformed declaration with InputError.

    name: the function's. gates: G names, in the order of the blocks of ``wx``. states: S names; the first is the
    layer's output. params: declarations of weights by name, random: of random values. bias: initial input bias of the
    gates where it is not 0. memory: 1 for a gate that keeps what is remembered, -1 for one that lets new in. shift: the
    parameter that is the gates' bias in place of the input projection's, "" where there is none.
    equations: the function itself. projects: some size is given in R.

    >>> from recurra.cells.lstm import lstm
    >>> lstm.gates, lstm.output, lstm.parameter_shapes(hidden=5)
    (('i', 'f', 'g', 'o'), 'h', {'U': (20, 5)})
    """

    def __init__(
        self,
        equations: Callable[..., Any],
        gates: tuple[str, ...],
        states: tuple[str, ...] | Mapping[str, str],
        bias: Mapping[str, float] | None = None,
        memory: Mapping[str, int] | None = None,
    ):
        self.equations, self.name, self.__doc__ = equations, equations.__name__, equations.__doc__
        self.__module__ = equations.__module__
        self.key = self._register()
        self.gates, self.bias, self.memory = tuple(gates), dict(bias or {}), dict(memory or {})
        sizes = dict(states) if isinstance(states, Mapping) else dict.fromkeys(states, "H")
        self.states, self.output = tuple(sizes), next(iter(sizes), "")
        self._check_names()
        self.params, self.random = self._declared()
        self._state_sizes = {n: Size.parse(s, f"cell {self.name}, state {n}") for n, s in sizes.items()}
        self._param_sizes = {
            n: tuple(Size.parse(s, f"cell {self.name}, parameter {n}") for s in p.sizes) for n, p in self.params.items()
        }
        self._random_sizes = {n: Size.parse(r.size, f"cell {self.name}, {n}") for n, r in self.random.items()}
        every = [*self._state_sizes.values(), *(s for sizes in self._param_sizes.values() for s in sizes)]
        self.shift = next((n for n, p in self.params.items() if p.gates), "")
        if self.shift and self._param_sizes[self.shift] != (Size(len(self.gates), "H"),):
            wanted, got = Size(len(self.gates), "H"), self.params[self.shift].sizes[0]
            raise InputError(f"cell {self.name}, parameter {self.shift}: expected {wanted} for its gates, got {got}")
        self.projects = any(s.letter == "R" for s in every)
        self._try()

    def __call__(self, wx: Tensor, *states: Tensor, **params: Tensor) -> tuple[Tensor, ...]:
        """One step. wx: [rows, G*H]. states: [rows, size] each. Returns the new states, always as a tuple."""
        new = self.equations(wx, *states, **params)
        return new if isinstance(new, tuple) else (new,)

    def state_sizes(self) -> dict[str, Size]:
        """Declared size of each state, in its letters."""
        return self._state_sizes

    def param_sizes(self) -> dict[str, tuple[Size, ...]]:
        """Declared sizes of each parameter, in their letters."""
        return self._param_sizes

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the weights, then of the random values: all that equations get after the states."""
        return (*self.params, *self.random)

    def random_sizes(self) -> dict[str, Size]:
        """Declared size of each random value, in its letters."""
        return self._random_sizes

    def sizes(self, hidden: int, projected: int = 0) -> dict[str, int]:
        """Units of each state, for H hidden and R projected units."""
        return {n: size(hidden, projected) for n, size in self._state_sizes.items()}

    def parameter_shapes(self, hidden: int, projected: int = 0) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter, for H hidden and R projected units."""
        return {n: tuple(size(hidden, projected) for size in sizes) for n, sizes in self._param_sizes.items()}

    def __repr__(self) -> str:
        return f"<cell {self.name}>"

    def __reduce__(self) -> str:
        """A cell is pickled by its name, and a copy is itself: a copied layer must not lose its kernel."""
        return self.name

    def _register(self) -> str:
        """A name that no other living cell has: what is written into compiled graphs, where no object can stand."""
        name = key = f"{self.__module__}.{self.equations.__qualname__}"
        count = 1
        while key in BY_KEY:
            count += 1
            key = f"{name}#{count}"
        BY_KEY[key] = self
        return key

    def _check_names(self) -> None:
        if not self.gates:
            raise InputError(f"cell {self.name}: gates: expected at least one name, got none")
        if not self.states:
            raise InputError(f"cell {self.name}: states: expected at least one name, got none")
        if len(set(self.gates)) < len(self.gates):
            raise InputError(f"cell {self.name}: gates: expected each name once, got {', '.join(self.gates)}")
        for what, given in (("bias", self.bias), ("memory", self.memory)):
            if unknown := given.keys() - set(self.gates):
                known, got = ", ".join(self.gates), ", ".join(sorted(unknown))
                raise InputError(f"cell {self.name}: {what}: expected gates among {known}, got {got}")

    def _declared(self) -> tuple[dict[str, Parameter], dict[str, Random]]:
        arguments = inspect.signature(self.equations).parameters.values()
        inputs = [a.name for a in arguments if a.kind is a.POSITIONAL_OR_KEYWORD]
        if inputs != ["wx", *self.states]:
            raise InputError(
                f"cell {self.name}: expected the arguments wx, {', '.join(self.states)} before the star, "
                f"got {', '.join(inputs) or 'none'}"
            )
        declared: dict[str, Parameter] = {}
        random: dict[str, Random] = {}
        for a in arguments:
            if a.kind is a.KEYWORD_ONLY and isinstance(a.default, Parameter):
                declared[a.name] = a.default
            elif a.kind is a.KEYWORD_ONLY and isinstance(a.default, Random):
                random[a.name] = a.default
            elif a.kind is not a.POSITIONAL_OR_KEYWORD:
                raise InputError(f"cell {self.name}, parameter {a.name}: expected a default Matrix(...) or Vector(...)")
        return declared, random

    def _try(self) -> None:
        """One step on zeros, so that a wrong shape is found where the cell is written."""
        rows, hidden, projected = 2, 5, 3
        shapes = {n: (rows, size) for n, size in self.sizes(hidden, projected).items()}
        params = {n: torch.zeros(shape) for n, shape in self.parameter_shapes(hidden, projected).items()}
        params |= {n: torch.zeros(rows, size(hidden, projected)) for n, size in self._random_sizes.items()}
        wx = torch.zeros(rows, len(self.gates) * hidden)
        try:
            new = self(wx, *(torch.zeros(shape) for shape in shapes.values()), **params)
        except (RuntimeError, ValueError, TypeError) as error:
            raise InputError(f"cell {self.name}: its equations fail on the declared shapes: {error}") from error
        if len(new) != len(shapes):
            raise InputError(f"cell {self.name}: expected {len(shapes)} new states, got {len(new)}")
        for (name, shape), value in zip(shapes.items(), new, strict=True):
            if not isinstance(value, Tensor) or tuple(value.shape) != shape:
                got = list(value.shape) if isinstance(value, Tensor) else value
                raise InputError(
                    f"cell {self.name}, new state {name}: expected {list(shape)} for {rows} rows, H = {hidden} and "
                    f"R = {projected}, got {got}"
                )


def cell(
    *,
    gates: tuple[str, ...],
    states: tuple[str, ...] | Mapping[str, str],
    bias: Mapping[str, float] | None = None,
    memory: Mapping[str, int] | None = None,
) -> Callable[[Callable[..., Any]], Cell]:
    """Declares the function below it a cell.

    gates: names of the H-wide blocks of ``wx``. states: names, all of H units, or a table of name to size
    (``{"h": "R", "c": "H"}``). bias: initial input bias of a gate, 0 where not given. memory: 1 for a gate that keeps
    what is remembered when it is open, -1 for one that lets new in; chrono initialisation needs to know.

    >>> @cell(gates=("a",), states=("h",))
    ... def decay(wx: Tensor, h: Tensor) -> Tensor:
    ...     return 0.5 * h + wx
    >>> decay(torch.ones(1, 2), torch.ones(1, 2))
    (tensor([[1.5000, 1.5000]]),)
    """
    return lambda equations: Cell(equations, gates, states, bias, memory)
