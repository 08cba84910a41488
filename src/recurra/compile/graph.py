"""What a cell computes in one step, as a graph of blocks.

A block is a [rows, H], [rows, R] or [rows, I] value: a gate of ``wx``, a state, a piece of a matrix product. A value
4H wide is four blocks, so taking it apart and putting it together cost nothing and need no operation. A node of letter
"1" is one number a row. Equal nodes are one node: the graph finds them as they are made.

    wx      data: block                          state   data: (state, block)       vector  data: (name, block)
    grad    data: (state, block)                 grad_out  data: block              size    data: "H" or "R"
    x       data: which input; "I" is its letter    mask, noise  data: (name, block, of how many blocks)
    total   data: block; what was added up before
    const   data: number                         linear  data: Product; args: the blocks of its input
    out     data: block; args: (linear,)         rowsum  args: (block,)
    and the pointwise operations of POINTWISE
"""

from collections.abc import Iterable
from dataclasses import dataclass

# Hidden units, units of a projected state, input features.
LETTERS = "HRI"
# Number of arguments of each pointwise operation.
POINTWISE = {
    **dict.fromkeys(
        ("neg", "abs", "sign", "exp", "log", "log1p", "sqrt", "sigmoid", "tanh", "relu", "clamp", "clip_gradient"), 1
    ),
    **dict.fromkeys(("add", "sub", "mul", "div", "maximum", "minimum"), 2),
    **dict.fromkeys(("where_le", "where_lt"), 4),  # a <= b ? x : y
}


@dataclass(frozen=True)
class Product:
    """A product with a declared matrix [rows, columns], or with its transpose.

    letter, blocks: of what comes out.
    """

    matrix: str
    transposed: bool
    letter: str
    blocks: int


class Node:
    """One value of the graph; ``index`` grows in the order of making, arguments first."""

    __slots__ = ("args", "data", "index", "letter", "op")

    def __init__(self, op: str, args: tuple["Node", ...], letter: str, data: object, index: int):
        self.op, self.args, self.letter, self.data, self.index = op, args, letter, data, index

    def __repr__(self) -> str:
        parts = [f"n{a.index}" for a in self.args] + ([] if self.data is None else [repr(self.data)])
        return f"n{self.index}:{self.letter} = {self.op}({', '.join(parts)})"


class Graph:
    """Makes nodes, each at most once."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[object, ...], Node] = {}

    def node(self, op: str, args: tuple[Node, ...] = (), letter: str = "1", data: object = None) -> Node:
        key = (op, tuple(a.index for a in args), letter, data)
        if key not in self._nodes:
            self._nodes[key] = Node(op, args, letter, data, len(self._nodes))
        return self._nodes[key]

    def const(self, value: float) -> Node:
        # Minus zero equals zero, and is another number.
        return self.node("const", letter="1", data=("-" if str(value) == "-0.0" else "", float(value)))

    def apply(self, op: str, *args: Node, data: object = None) -> Node:
        """A pointwise operation, in its simplest form. Raises ValueError for an H-wide block beside an R-wide one."""
        letters = {a.letter for a in args} - {"1"}
        if len(letters) > 1:
            raise ValueError(f"{op} of a block of H units and one of R units")
        if (op == "mul" and is_const(args[0], 1.0)) or (op == "add" and is_const(args[0], 0.0)):
            return args[1]
        if (op in ("mul", "div") and is_const(args[1], 1.0)) or (op in ("add", "sub") and is_const(args[1], 0.0)):
            return args[0]
        return self.node(op, args, letters.pop() if letters else "1", data)

    def linear(self, product: Product, inputs: Iterable[Node]) -> tuple[Node, ...]:
        """The blocks of a matrix product."""
        whole = self.node("linear", tuple(inputs), product.letter, product)
        return tuple(self.node("out", (whole,), product.letter, i) for i in range(product.blocks))

    def sum(self, nodes: Iterable[Node]) -> Node:
        """At least one node."""
        first, *rest = nodes
        for n in rest:
            first = self.apply("add", first, n)
        return first


def is_const(node: Node, value: float) -> bool:
    return node.op == "const" and node.data == ("", value)


def reachable(roots: Iterable[Node]) -> list[Node]:
    """Every node the roots are made of, themselves included, arguments first."""
    found: dict[int, Node] = {}
    stack = list(roots)
    while stack:
        n = stack.pop()
        if n.index not in found:
            found[n.index] = n
            stack.extend(n.args)
    return [found[i] for i in sorted(found)]
