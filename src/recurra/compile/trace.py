"""A cell's equations, read with torch.fx into a graph of blocks."""

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn, cast

from torch import fx, nn

from recurra.cells.base import Cell, Size
from recurra.compile.graph import Graph, Node, Product
from recurra.errors import InputError


@dataclass(frozen=True)
class Traced:
    """graph: where the nodes live. states, old: the new states and those before the step, each as its blocks."""

    graph: Graph
    states: tuple[tuple[Node, ...], ...]
    old: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Blocks:
    """A value of the equations: its blocks, side by side."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Declared:
    """A declared matrix."""

    name: str
    rows: Size
    columns: Size


class _Unsupported(Exception):
    """Why an operation cannot be taken; the tracer adds where."""


@cache
def trace(cell: Cell) -> Traced:
    """The cell as a graph. Raises InputError for an operation that cells may not use."""
    try:
        steps = _Tracer(cell.equations.__code__.co_filename).steps(cell)
    except (fx.proxy.TraceError, TypeError) as error:
        raise InputError(f"cell {cell.name}: its equations cannot be read: {error}") from error
    return _Reader(cell).read(steps)


class _Tracer(fx.Tracer):
    """Writes beside every operation the line it is on."""

    def __init__(self, file: str):
        super().__init__()
        self.file = file

    def steps(self, cell: Cell) -> fx.Graph:
        """What the cell does with stand-ins for its arguments."""
        self.root, self.graph = nn.Module(), fx.Graph(tracer_cls=type(self))

        def stand_in(name: str) -> fx.Proxy:
            return self.create_proxy("placeholder", name, (), {})

        equations = cast(Callable[..., Any], cell)
        states = [stand_in(name) for name in ("wx", *cell.states)]
        new = equations(*states, **{name: stand_in(name) for name in cell.given})
        self.create_node("output", "output", (self.create_arg(new),), {})
        return self.graph

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename != self.file:
            frame = frame.f_back
        node.meta["line"] = frame.f_lineno
        return node


class _Reader:
    def __init__(self, cell: Cell):
        self.cell, self.graph = cell, Graph()
        self.values: dict[fx.Node, Any] = {}

    def read(self, steps: fx.Graph) -> Traced:
        given, old = self._given()
        for step in steps.nodes:
            if step.op == "placeholder":
                self.values[step] = given[str(step.target)]
            elif step.op == "output":
                states = self._value(step.args[0])
                return Traced(self.graph, tuple(self._blocks(s, step).nodes for s in states), old)
            else:
                self.values[step] = self._apply(step)
        raise AssertionError("a graph ends with its output")

    def _given(self) -> tuple[dict[str, Any], tuple[tuple[Node, ...], ...]]:
        """The value of each argument of the equations, and the old states."""
        g, cell = self.graph, self.cell
        given: dict[str, Any] = {"wx": Blocks(tuple(g.node("wx", letter="H", data=i) for i in range(len(cell.gates))))}
        for k, (name, size) in enumerate(cell.state_sizes().items()):
            given[name] = Blocks(tuple(g.node("state", letter=size.letter, data=(k, i)) for i in range(size.factor)))
        old = tuple(given[name].nodes for name in cell.states)
        for name, sizes in cell.param_sizes().items():
            if len(sizes) == 2:
                given[name] = Declared(name, *sizes)
            else:
                (size,) = sizes
                blocks = (g.node("vector", letter=size.letter, data=(name, i)) for i in range(size.factor))
                given[name] = Blocks(tuple(blocks))
        for name, size in cell.random_sizes().items():
            op = "mask" if cell.random[name].each == "sequence" else "noise"
            places = ((name, i, size.factor) for i in range(size.factor))
            given[name] = Blocks(tuple(g.node(op, letter=size.letter, data=place) for place in places))
        return given, old

    def _apply(self, step: fx.Node) -> Any:
        name = step.target if isinstance(step.target, str) else getattr(step.target, "__name__", str(step.target))
        rule = RULES.get(str(name).strip("_")) if step.op in ("call_function", "call_method") else None
        if rule is None:
            self._refuse(step, f"the operation {name}")
        args, kwargs = self._value(step.args), self._value(step.kwargs)
        try:
            return rule(self.graph, *args, **kwargs)
        except (_Unsupported, ValueError, TypeError) as error:
            self._refuse(step, f"{name} in this form ({error})")

    def _value(self, argument: Any) -> Any:
        return fx.node.map_aggregate(argument, lambda a: self.values[a] if isinstance(a, fx.Node) else a)

    def _blocks(self, value: Any, step: fx.Node) -> Blocks:
        if not isinstance(value, Blocks):
            self._refuse(step, f"a result that is no value of units: {value!r}")
        return value

    def _refuse(self, step: fx.Node, what: str) -> NoReturn:
        where = f"cell {self.cell.name}, line {step.meta['line']}"
        raise InputError(f"{where}: {what} is not among those a cell may use: {', '.join(sorted(RULES))}")


# --- what each operation does to blocks ---


def _pair(g: Graph, a: Any, b: Any) -> list[tuple[Node, Node]]:
    """Blocks beside blocks; a number, or one number a row, stands beside each."""
    left, right = _nodes(g, a), _nodes(g, b)
    if len(left) == 1 and (len(right) == 1 or left[0].letter == "1"):
        left = left * len(right)
    if len(right) == 1 and right[0].letter == "1":
        right = right * len(left)
    if len(left) != len(right):
        raise _Unsupported(f"{len(left)} blocks beside {len(right)}")
    return list(zip(left, right, strict=True))


def _nodes(g: Graph, value: Any) -> tuple[Node, ...]:
    if isinstance(value, Blocks):
        return value.nodes
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (g.const(value),)
    raise _Unsupported(f"expected a value of units or a number, got {value!r}")


def _each(op: str) -> Callable[..., Blocks]:
    def rule(g: Graph, x: Any) -> Blocks:
        return Blocks(tuple(g.apply(op, n) for n in _nodes(g, x)))

    return rule


def _both(op: str, swapped: bool = False) -> Callable[..., Blocks]:
    def rule(g: Graph, a: Any, b: Any) -> Blocks:
        pairs = _pair(g, b, a) if swapped else _pair(g, a, b)
        return Blocks(tuple(g.apply(op, m, n) for m, n in pairs))

    return rule


_add, _sub, _mul, _div = _both("add"), _both("sub"), _both("mul"), _both("div")
_exp, _sqrt, _sigmoid, _relu = _each("exp"), _each("sqrt"), _each("sigmoid"), _each("relu")


def _linear(g: Graph, input: Blocks, weight: Any, bias: Any = None) -> Blocks:
    if not isinstance(weight, Declared):
        raise _Unsupported("the weight must be a declared Matrix")
    nodes, columns = _nodes(g, input), weight.columns
    if [n.letter for n in nodes] != [columns.letter] * columns.factor:
        raise _Unsupported(f"expected an input of {columns.factor}{columns.letter} units")
    product = Blocks(g.linear(Product(weight.name, False, weight.rows.letter, weight.rows.factor), nodes))
    return product if bias is None else _add(g, product, bias)


def _chunk(g: Graph, x: Blocks, chunks: int, dim: int = 0) -> tuple[Blocks, ...]:
    nodes = _along_units(g, x, dim)
    if len(nodes) % chunks:
        raise _Unsupported(f"{len(nodes)} blocks cannot be cut in {chunks}")
    size = len(nodes) // chunks
    return tuple(Blocks(nodes[i : i + size]) for i in range(0, len(nodes), size))


def _cat(g: Graph, values: Any, dim: int = 0) -> Blocks:
    return Blocks(tuple(n for v in values for n in _along_units(g, v, dim)))


def _along_units(g: Graph, x: Any, dim: Any) -> tuple[Node, ...]:
    if dim not in (-1, 1, [-1], (-1,), (1,)):
        raise _Unsupported("expected dim=-1, along the units")
    return _nodes(g, x)


def _sum(g: Graph, x: Any, dim: Any = None, keepdim: bool = False) -> Blocks:
    nodes = _along_units(g, x, dim)
    if not keepdim:
        raise _Unsupported("expected keepdim=True")
    # Blocks of as many units are added first: one sum over the units is left.
    parts = [g.sum(n for n in nodes if n.letter == letter) for letter in dict.fromkeys(n.letter for n in nodes)]
    return Blocks((g.sum(n if n.letter == "1" else g.node("rowsum", (n,)) for n in parts),))


def _mean(g: Graph, x: Any, dim: Any = None, keepdim: bool = False) -> Blocks:
    return _div(g, _sum(g, x, dim, keepdim), Blocks((_count(g, x),)))


def _count(g: Graph, x: Any) -> Node:
    return g.sum(g.node("size", data=n.letter) for n in _nodes(g, x))


def _var(
    g: Graph, x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, correction: int | None = None
) -> Blocks:
    taken = int(unbiased) if correction is None else correction
    deviation = _sub(g, x, _mean(g, x, dim, keepdim))
    count = g.apply("sub", _count(g, x), g.const(taken))
    return _div(g, _sum(g, _mul(g, deviation, deviation), dim, keepdim), Blocks((count,)))


def _pow(g: Graph, x: Any, exponent: Any) -> Blocks:
    if exponent == 0.5:
        return _sqrt(g, x)
    if not isinstance(exponent, int | float) or exponent != int(exponent) or not 1 <= abs(exponent) <= 16:
        raise _Unsupported("expected a whole exponent from -16 to 16, but 0, or 0.5")
    result: Any = x
    for _ in range(abs(int(exponent)) - 1):
        result = _mul(g, result, x)
    return result if exponent > 0 else _div(g, 1.0, result)


def _clamp(g: Graph, x: Any, min: float | None = None, max: float | None = None) -> Blocks:
    low, high = (-float("inf") if min is None else float(min)), (float("inf") if max is None else float(max))
    return Blocks(tuple(g.apply("clamp", n, data=(low, high)) for n in _nodes(g, x)))


def _relu_of(g: Graph, x: Any, inplace: bool = False) -> Blocks:
    return _relu(g, x)


def _leaky(g: Graph, x: Any, negative_slope: float = 0.01, inplace: bool = False) -> Blocks:
    return _where_positive(g, x, x, _mul(g, x, negative_slope))


def _where_positive(g: Graph, x: Any, above: Any, below: Any) -> Blocks:
    zero = g.const(0.0)
    nodes = zip(_nodes(g, x), _nodes(g, above), _nodes(g, below), strict=True)
    return Blocks(tuple(g.apply("where_le", n, zero, b, a) for n, a, b in nodes))


@dataclass(frozen=True)
class Compared:
    """What a comparison gives ``where``: op, where_le or where_lt, of a and b."""

    op: str
    a: Any
    b: Any


def _compare(op: str, swapped: bool = False) -> Callable[..., Compared]:
    return lambda g, a, b: Compared(op, b, a) if swapped else Compared(op, a, b)


def _where(g: Graph, condition: Any, x: Any, y: Any) -> Blocks:
    if not isinstance(condition, Compared):
        raise _Unsupported("expected a comparison, such as a < b")
    a, b, x, y = (_nodes(g, v) for v in (condition.a, condition.b, x, y))
    count = max(len(nodes) for nodes in (a, b, x, y))
    # A number, or one number a row, stands beside every block.
    wide = (nodes * count if len(nodes) == 1 and nodes[0].letter == "1" else nodes for nodes in (a, b, x, y))
    return Blocks(tuple(g.apply(condition.op, *nodes) for nodes in zip(*wide, strict=True)))


def _clip_gradient(g: Graph, x: Any, limit: float) -> Blocks:
    return Blocks(tuple(g.apply("clip_gradient", n, data=float(limit)) for n in _nodes(g, x)))


def _within(g: Graph, x: Any, low: float, high: float, inside: Any, below: float, above: float) -> Blocks:
    """``inside`` strictly between low and high; its gradient stops at both, as in torch's piecewise functions."""
    lower = [g.apply("where_le", n, g.const(low), g.const(below), i) for n, i in _pair(g, x, inside)]
    return Blocks(
        tuple(g.apply("where_le", g.const(high), n, g.const(above), i) for n, i in _pair(g, x, Blocks(tuple(lower))))
    )


def _hardsigmoid(g: Graph, x: Any, inplace: bool = False) -> Blocks:
    return _within(g, x, -3.0, 3.0, _add(g, _div(g, x, 6.0), 0.5), 0.0, 1.0)


def _hardtanh(g: Graph, x: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Blocks:
    return _within(g, x, min_val, max_val, x, min_val, max_val)


def _softplus(g: Graph, x: Any) -> Blocks:
    # log(1 + e^x) as max(x, 0) + log(1 + e^-|x|), which cannot overflow.
    tail = _each("log1p")(g, _exp(g, _each("neg")(g, _each("abs")(g, x))))
    return _add(g, _relu(g, x), tail)


def _identity(g: Graph, x: Any) -> Any:
    return x


RULES: dict[str, Callable[..., Any]] = {
    "add": _add,
    "radd": _add,
    "sub": _sub,
    "rsub": _both("sub", swapped=True),
    "mul": _mul,
    "truediv": _div,
    "div": _div,
    "neg": _each("neg"),
    "abs": _each("abs"),
    "exp": _exp,
    "log": _each("log"),
    "log1p": _each("log1p"),
    "sqrt": _sqrt,
    "rsqrt": lambda g, x: _div(g, 1.0, _sqrt(g, x)),
    "reciprocal": lambda g, x: _div(g, 1.0, x),
    "square": lambda g, x: _mul(g, x, x),
    "pow": _pow,
    "sigmoid": _sigmoid,
    "tanh": _each("tanh"),
    "relu": _relu_of,
    "silu": lambda g, x, inplace=False: _mul(g, x, _sigmoid(g, x)),
    "softplus": _softplus,
    "leaky_relu": _leaky,
    "hardsigmoid": _hardsigmoid,
    "hardtanh": _hardtanh,
    "clamp": _clamp,
    "maximum": _both("maximum"),
    "minimum": _both("minimum"),
    "linear": _linear,
    "chunk": _chunk,
    "cat": _cat,
    "getitem": lambda g, x, index: operator.getitem(x, index) if isinstance(x, tuple) else _no_index(),
    "sum": _sum,
    "mean": _mean,
    "var": _var,
    "contiguous": _identity,
    "lt": _compare("where_lt"),
    "le": _compare("where_le"),
    "gt": _compare("where_lt", swapped=True),
    "ge": _compare("where_le", swapped=True),
    "where": _where,
    "clip_gradient": _clip_gradient,
}


def _no_index() -> NoReturn:
    raise _Unsupported("use chunk to take a value apart")
