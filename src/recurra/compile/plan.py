"""What a training step computes, keeps and writes: programs for one cell.

    infer   forward, nothing kept
    show    forward, every state and gate written down, to be looked at
    train   forward, keeping what the backward pass cannot make again cheaply
    back    backward

A program runs one graph at every step of every sequence. Its *carries* go from step to step; its *streams* are
[N, ...] tensors that are read or written at each step. What to keep is a minimum cut of the graph, by memory: every
value the gradient needs is either kept or computed again from what is. The output and, shifted by one step, the
output's previous value cost nothing, as the caller has them anyway.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

from recurra.cells.base import Cell
from recurra.compile.grad import gradients
from recurra.compile.graph import Graph, Node, Product, reachable
from recurra.compile.trace import Traced, trace


@dataclass(frozen=True)
class Column:
    """A block's place in a stream."""

    stream: str
    index: int


@dataclass(frozen=True)
class Carry:
    """old: leaves that stand for it before the step. new: what it becomes."""

    old: tuple[Node, ...]
    new: tuple[Node, ...]


@dataclass(frozen=True)
class Program:
    """streams: letters of each one's blocks. reads: where leaves come from. writes: what goes where.

    backward: takes each sequence from its last step to its first.
    """

    name: str
    backward: bool
    carries: tuple[Carry, ...]
    streams: dict[str, tuple[str, ...]]
    reads: dict[Node, Column]
    writes: tuple[tuple[Node, Column], ...]


@dataclass(frozen=True)
class ProductGradient:
    """The gradient of a matrix is that of what came out (None where nothing reaches) times what went in."""

    matrix: str
    outputs: tuple[Column | None, ...]
    inputs: tuple[Column, ...]


@dataclass(frozen=True)
class Plan:
    """wx: where the gradient of each gate's input is. vectors: of each block of a vector; None: nothing reaches it.

    totals: letters of what the last carry of ``back`` adds up over each sequence, the stream ``totals`` [B, ...] to
    ``vectors``; empty: there is no such carry.
    show: as infer, writing what the equations come by into the stream ``shown``; what: the name of each of its blocks.
    """

    infer: Program
    train: Program
    back: Program
    show: Program
    what: tuple[str, ...]
    wx: tuple[Column | None, ...]
    products: tuple[ProductGradient, ...]
    vectors: dict[str, tuple[Column | None, ...]]
    totals: tuple[str, ...]


@cache
def plan(cell: Cell) -> Plan:
    """The programs of a cell. Raises InputError as ``trace``."""
    return _Planner(cell, trace(cell)).plan()


def affine() -> Program:
    """A program without a cell: the stream ``output`` is the stream ``x`` times the matrix ``weight`` plus ``bias``."""
    g = Graph()
    x = g.node("x", letter="I", data="x")
    (product,) = g.linear(Product("weight", False, "H", 1), (x,))
    y = g.apply("add", product, g.node("vector", letter="H", data=("bias", 0)))
    streams: dict[str, tuple[str, ...]] = {"x": ("I",), "output": ("H",)}
    return Program("affine", False, (), streams, {x: Column("x", 0)}, ((y, Column("output", 0)),))


def add() -> Program:
    """A program without a cell: the stream ``output`` is the stream ``x`` plus the stream ``below``."""
    g = Graph()
    x, below = (g.node("x", letter="H", data=name) for name in ("x", "below"))
    streams: dict[str, tuple[str, ...]] = dict.fromkeys(("x", "below", "output"), ("H",))
    reads = {x: Column("x", 0), below: Column("below", 0)}
    return Program("add", False, (), streams, reads, ((g.apply("add", x, below), Column("output", 0)),))


class _Columns:
    """Blocks that get a place in one stream, each once."""

    def __init__(self, stream: str):
        self.stream, self.places, self.letters = stream, dict[Node, Column](), list[str]()

    def place(self, node: Node, letter: str) -> Column:
        if node not in self.places:
            self.places[node] = Column(self.stream, len(self.letters))
            self.letters.append(letter)
        return self.places[node]


class _Planner:
    def __init__(self, cell: Cell, traced: Traced):
        self.cell, self.graph, self.old, self.new = cell, traced.graph, traced.old, traced.states
        self.letters = [[size.letter] * size.factor for size in cell.state_sizes().values()]
        self.wx = [self.graph.node("wx", letter="H", data=i) for i in range(len(cell.gates))]
        self.forward = reachable(n for state in self.new for n in state)

    def plan(self) -> Plan:
        g = self.graph
        grads, carries = self._differentiate()
        grad_columns, totals = _Columns("grads"), _Columns("totals")
        products, wanted = [], [n for carry in carries for n in carry.new]
        linears = [n for n in self.forward if n.op == "linear"]
        outputs = {}
        # Those of wx first and side by side: the product with the input's gradient is then one.
        wx = tuple(self._place(grad_columns, grads.get(n), "H") for n in self.wx)
        for n in linears:
            outs = [g.node("out", (n,), n.letter, i) for i in range(_product(n).blocks)]
            outputs[n] = tuple(self._place(grad_columns, grads.get(o), o.letter) for o in outs)
        vectors = {}
        for name, sizes in self.cell.param_sizes().items():
            if len(sizes) == 1:
                blocks = [g.node("vector", letter=sizes[0].letter, data=(name, i)) for i in range(sizes[0].factor)]
                # What no product needs is not written at each step, but added up.
                rooms = [grad_columns if grads.get(n) in grad_columns.places else totals for n in blocks]
                places = zip(rooms, blocks, strict=True)
                vectors[name] = tuple(self._place(room, grads.get(n), n.letter) for room, n in places)
        if totals.letters:
            carries = (*carries, self._added_up(totals))
        wanted += [*grad_columns.places, *totals.places]
        entered = [a for n in linears for a in n.args]
        reads = self._kept(wanted, entered)
        for n in linears:
            letter, _ = self._columns()[_product(n).matrix]
            inputs = tuple(reads.get(a) or grad_columns.place(a, letter) for a in n.args)
            products.append(ProductGradient(_product(n).matrix, outputs[n], inputs))
        saved = {n: c for n, c in reads.items() if c.stream == "saved"}
        shown = [*self._states_by_name(), *self._gates_by_name()]
        return Plan(
            show=self._forward_program("show", shown=[n for _, n in shown]),
            what=tuple(name for name, _ in shown),
            infer=self._forward_program("infer"),
            train=self._forward_program("train", saved),
            back=self._backward_program(carries, grad_columns, reads),
            wx=wx,
            products=tuple(products),
            vectors=vectors,
            totals=tuple(totals.letters),
        )

    def _columns(self) -> dict[str, tuple[str, int]]:
        sizes = self.cell.param_sizes()
        return {name: (s[1].letter, s[1].factor) for name, s in sizes.items() if len(s) == 2}

    def _differentiate(self) -> tuple[dict[Node, Node], tuple[Carry, ...]]:
        """Gradients by node, and those carried from step to step: of each state."""
        g, seeds, leaves = self.graph, [], []
        for k, (new, letters) in enumerate(zip(self.new, self.letters, strict=True)):
            carried = tuple(g.node("grad", letter=s, data=(k, i)) for i, s in enumerate(letters))
            leaves.append(carried)
            for i, (node, d) in enumerate(zip(new, carried, strict=True)):
                if k == 0:
                    d = g.apply("add", d, g.node("grad_out", letter=d.letter, data=i))
                seeds.append((node, d))
        grads = gradients(g, seeds, self._columns())
        zero = g.const(0.0)
        news = [tuple(grads.get(n, zero) for n in old) for old in self.old]
        return grads, tuple(Carry(old, new) for old, new in zip(leaves, news, strict=True))

    def _added_up(self, totals: _Columns) -> Carry:
        g = self.graph
        old = tuple(g.node("total", letter=letter, data=i) for i, letter in enumerate(totals.letters))
        return Carry(old, tuple(g.apply("add", *pair) for pair in zip(old, totals.places, strict=True)))

    @staticmethod
    def _place(columns: _Columns, grad: Node | None, letter: str) -> Column | None:
        return None if grad is None else columns.place(grad, letter)

    def _kept(self, wanted: list[Node], direct: list[Node]) -> dict[Node, Column]:
        """Where the backward pass reads each forward value that it starts from."""
        forward = set(self.forward) | {n for old in self.old for n in old} | set(self.wx)
        used = {n for n in [*wanted, *direct] if n in forward}
        used |= {a for n in reachable(wanted) if n not in forward for a in n.args if a in forward}
        reads: dict[Node, Column] = {}
        saved = 0
        free = {n: Column("previous", i) for i, n in enumerate(self.old[0])}
        free |= {n: Column("output", i) for i, n in enumerate(self.new[0]) if n not in free}
        # What is known before a step's products comes late: the rest may then lie where ``wx`` was. Numbers come last.
        for n in sorted(_minimum_cut(forward, used, set(free)), key=lambda n: (n.letter == "1", n.op == "state")):
            if n in free:
                reads[n] = free[n]
            else:
                reads[n] = Column("saved", saved)
                saved += 1
        return reads

    def _states_by_name(self) -> list[tuple[str, Node]]:
        return [(name, n) for name, new in zip(self.cell.states, self.new, strict=True) for n in new]

    def _gates_by_name(self) -> list[tuple[str, Node]]:
        """The value of each gate: the first activation of its block of ``wx`` and of no other's."""
        found: dict[int, Node] = {}
        names = self.cell.states
        for n in self.forward:
            if n.op in ACTIVATIONS:
                blocks = {w.data for w in _direct(n) if w.op == "wx"}
                if len(blocks) == 1:
                    found.setdefault(cast(int, blocks.pop()), n)
        return [(gate, found[i]) for i, gate in enumerate(self.cell.gates) if i in found and gate not in names]

    def _forward_program(
        self, name: str, saved: Mapping[Node, Column] | None = None, shown: Sequence[Node] = ()
    ) -> Program:
        output = [(n, Column("output", i)) for i, n in enumerate(self.new[0])]
        reads = {n: Column("wx", i) for i, n in enumerate(self.wx)}
        streams = {"wx": ("H",) * len(self.wx), "output": tuple(self.letters[0])}
        writes = [*output, *(saved or {}).items(), *((n, Column("shown", i)) for i, n in enumerate(shown))]
        if saved:
            streams["saved"] = tuple(n.letter for n in saved)
        if shown:
            streams["shown"] = tuple(n.letter for n in shown)
        carries = tuple(Carry(old, new) for old, new in zip(self.old, self.new, strict=True))
        return Program(name, False, carries, streams, reads, tuple(writes))

    def _backward_program(
        self, carries: tuple[Carry, ...], grad_columns: _Columns, kept: dict[Node, Column]
    ) -> Program:
        leaves = set(reachable([*grad_columns.places, *(n for c in carries for n in c.new)]))
        letters = tuple(self.letters[0])
        grad_out = [self.graph.node("grad_out", letter=s, data=i) for i, s in enumerate(letters)]
        reads = kept | {n: Column("grad_output", i) for i, n in enumerate(grad_out) if n in leaves}
        streams = {"grad_output": letters, "grads": tuple(grad_columns.letters)}
        used = {c.stream for c in reads.values()}
        streams |= {name: letters for name in ("previous", "output") if name in used}
        if "saved" in used:
            streams["saved"] = tuple(n.letter for n, c in kept.items() if c.stream == "saved")
        return Program("back", True, carries, streams, reads, tuple(grad_columns.places.items()))


# Those of gates; relu is also a part of other functions.
ACTIVATIONS = ("sigmoid", "tanh")


def _direct(activation: Node) -> list[Node]:
    """What an activation is of, but not what other activations, sums over a row or matrix products are of."""
    found, stack = list[Node](), list(activation.args)
    while stack:
        n = stack.pop()
        found.append(n)
        if n.op not in (*ACTIVATIONS, "rowsum", "out"):
            stack.extend(n.args)
    return found


def _product(node: Node) -> Product:
    assert isinstance(node.data, Product)
    return node.data


# --- the cut ---

# What a block costs that is kept; a number of the row; and what cannot be had.
_MEMORY, _NUMBER, _NEVER = 1000, 10, 10**9


def _minimum_cut(forward: set[Node], used: set[Node], free: set[Node]) -> list[Node]:
    """The cheapest set of values from which all that is used can be computed without matrix products and row sums.

    Of equal cuts, the one nearest to the use: an activation rather than what it is the activation of.
    """
    constant = ("const", "size", "vector", "linear", "mask", "noise")
    nodes = [n for n in sorted(forward, key=lambda n: n.index) if n.op not in constant]
    source, sink = ("source", -1), ("sink", -1)
    capacity: dict[tuple[str, int], dict[tuple[str, int], int]] = {}

    def connect(a: tuple[str, int], b: tuple[str, int], amount: int) -> None:
        capacity.setdefault(a, {})[b] = amount
        capacity.setdefault(b, {}).setdefault(a, 0)

    for n in nodes:
        connect(("in", n.index), ("out", n.index), _NUMBER if n.letter == "1" else 1 if n in free else _MEMORY)
        if n.op in ("wx", "state", "out", "rowsum"):
            connect(source, ("in", n.index), _NEVER)
        else:
            for a in n.args:
                if a.op not in constant:
                    connect(("out", a.index), ("in", n.index), _NEVER)
        if n in used:
            connect(("out", n.index), sink, _NEVER)
    if source not in capacity or sink not in capacity:
        return []
    while path := _path(capacity, source, sink):
        amount = min(capacity[start][end] for start, end in path)
        for start, end in path:
            capacity[start][end] -= amount
            capacity[end][start] += amount
    # What still reaches the sink is computed again; the border is what is kept.
    near, queue = {sink}, deque([sink])
    while queue:
        at = queue.popleft()
        for before in capacity[at]:
            if before not in near and capacity[before][at] > 0:
                near.add(before)
                queue.append(before)
    return [n for n in nodes if ("out", n.index) in near and ("in", n.index) not in near]


def _path(
    capacity: dict[tuple[str, int], dict[tuple[str, int], int]], source: tuple[str, int], sink: tuple[str, int]
) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """A shortest way on which something can still flow, as its edges; empty if there is none."""
    came, queue = {source: source}, deque([source])
    while queue and sink not in came:
        a = queue.popleft()
        for b, left in capacity[a].items():
            if left > 0 and b not in came:
                came[b] = a
                queue.append(b)
    edges, b = [], sink
    while b in came and b != source:
        edges.append((came[b], b))
        b = came[b]
    return edges
