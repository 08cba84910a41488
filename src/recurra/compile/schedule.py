"""The phases of one step: what is computed row by row, and which matrix products follow.

Level 0 needs no product; level n + 1 needs those that follow level n. All rows that are active go through one level,
then through its products, then through the next level. What crosses a level lies in a buffer.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from functools import partial

from recurra.compile.graph import Node, Product
from recurra.compile.plan import Column, Program


@dataclass(frozen=True)
class Slot:
    """A block's place in a buffer [rows, ...]."""

    buffer: str
    index: int


Place = Column | Slot
KEPT = "kept"
# About how many operations a function takes; others are one. What takes fewer than DEAR is computed again.
COST = {"exp": 10, "log": 15, "log1p": 22, "sigmoid": 12, "tanh": 12, "div": 4, "sqrt": 4, "noise": 10}
DEAR = 4


@dataclass(frozen=True)
class Multiply:
    """A product of all active rows: buffer ``source`` times the packed matrix, into buffer ``target``."""

    product: Product
    source: str
    target: str


@dataclass(frozen=True)
class Sums:
    """Sums over blocks of one letter that go over a row's units together, and values kept on the way for later."""

    letter: str
    nodes: tuple[Node, ...]
    keeps: dict[Node, Slot]


@dataclass
class Level:
    """stores: values and where they go. loads: where values come from that are not computed here. sums: in order."""

    stores: list[tuple[Node, Place]] = field(default_factory=list)
    loads: dict[Node, Place] = field(default_factory=dict)
    products: list[Multiply] = field(default_factory=list)
    sums: list[Sums] = field(default_factory=list)

    def needed(self) -> list[Node]:
        """What the stores are made of, down to what is loaded, arguments first."""
        return down([n for n, _ in self.stores], self.loads.__contains__)


@dataclass(frozen=True)
class Schedule:
    """buffers: letters of each one's blocks; those of carry k are the buffer ``carry<k>``.

    What lies in KEPT is one row's, and is forgotten with it.
    """

    program: Program
    levels: list[Level]
    buffers: dict[str, tuple[str, ...]]

    @property
    def splits(self) -> bool:
        """Whether units may be taken apart from each other: a sum over a row needs them all."""
        return not any(level.sums for level in self.levels)

    def may_overwrite(self, read: str, written: str) -> bool:
        """Whether a row of stream ``written`` may lie over one of stream ``read``: each block has been read by then."""
        streams, done = self.program.streams, set[Column]()
        if any(a != b for a, b in zip(streams[read], streams[written], strict=False)):
            return False
        for level in self.levels:
            places = {level.loads.get(n) for n in level.needed()}
            if any(Column(read, c.index) in places for c in done):
                return False
            done |= {p for _, p in level.stores if isinstance(p, Column) and p.stream == written}
        return True


def schedule(program: Program) -> Schedule:
    return _Scheduler(program).schedule()


class _Scheduler:
    def __init__(self, program: Program):
        self.program = program
        self.loads: dict[Node, Place] = dict(program.reads)
        self.buffers: dict[str, tuple[str, ...]] = {}
        for k, carry in enumerate(program.carries):
            self.buffers[f"carry{k}"] = tuple(n.letter for n in carry.old)
            for i, n in enumerate(carry.old):
                self.loads.setdefault(n, Slot(f"carry{k}", i))
        self.nodes = self._needed()
        self.level: dict[Node, int] = {}
        for n in self.nodes:
            before = 0 if n in self.loads else max((self.level[a] for a in n.args), default=0)
            self.level[n] = before + (n.op == "out" and n not in self.loads)
        self.last = max(self.level.values(), default=0)
        self.levels = [Level() for _ in range(self.last + 1)]

    def _roots(self) -> list[Node]:
        return [n for n, _ in self.program.writes] + [n for c in self.program.carries for n in c.new]

    def _needed(self) -> list[Node]:
        """What must be computed or loaded; what a loaded value is made of is not."""
        return down(self._roots() + [n for c in self.program.carries for n in c.old], self.loads.__contains__)

    def schedule(self) -> Schedule:
        for node, place in self.program.writes:
            self.levels[self.level[node]].stores.append((node, place))
        linears = [n for n in self.nodes if n.op == "linear"]
        sources = {n: self._source(n, i) for i, n in enumerate(linears)}
        for i, n in enumerate(linears):
            self._target(n, i, sources)
        for k in range(len(self.program.carries)):
            self._update(k, sources)
        self._cross()
        for at, level in enumerate(self.levels):
            level.loads = {n: p for n, p in self.loads.items() if not self._made_at(n, at)}
            level.sums = self._sums(level)
        return Schedule(self.program, self.levels, self.buffers)

    def _source(self, linear: Node, index: int) -> str:
        """The buffer a product reads: a carry as it lies, or one that the row function fills."""
        for k, carry in enumerate(self.program.carries):
            if linear.args == carry.old:
                return f"carry{k}"
        name = f"in{index}"
        # A gradient that reaches no block of a product's output is a number: zero.
        letter = next((a.letter for a in linear.args if a.letter != "1"), linear.letter)
        self.buffers[name] = (letter,) * len(linear.args)
        for i, a in enumerate(linear.args):
            self.levels[self.level[a]].stores.append((a, Slot(name, i)))
        return name

    def _target(self, linear: Node, index: int, sources: dict[Node, str]) -> None:
        product = linear.data
        assert isinstance(product, Product)
        outs = tuple(n for n in self.nodes if n.op == "out" and n.args == (linear,))
        name = f"out{index}"
        for k, carry in enumerate(self.program.carries):
            if [n.data for n in outs] == list(range(product.blocks)) and carry.new == outs:
                read = self._last_read(k, sources)
                multiplied = [self.level[n] for n, source in sources.items() if source == f"carry{k}"]
                if read <= self.level[linear] and all(m < self.level[linear] for m in multiplied):
                    name = f"carry{k}"
        if name not in self.buffers:
            self.buffers[name] = (product.letter,) * product.blocks
        for n in outs:
            assert isinstance(n.data, int)
            self.loads[n] = Slot(name, n.data)
        self.levels[self.level[linear]].products.append(Multiply(product, sources[linear], name))

    def _last_read(self, k: int, sources: dict[Node, str]) -> int:
        """The last level whose row function reads the old value of a carry."""
        old, last = set(self.program.carries[k].old), 0
        for n in self.nodes:
            if n.op != "linear" and n not in self.loads and old & set(n.args):
                # One number a row is computed again wherever it is used.
                last = max(last, self.last if n.letter == "1" else self.level[n])
        moved = any(old & set(c.new) for j, c in enumerate(self.program.carries) if j != k or c.new != c.old)
        return self.last if moved else last

    def _update(self, k: int, sources: dict[Node, str]) -> None:
        carry = self.program.carries[k]
        if carry.new == carry.old or all(self.loads.get(n) == Slot(f"carry{k}", i) for i, n in enumerate(carry.new)):
            return
        multiplied = [self.level[n] + 1 for n, source in sources.items() if source == f"carry{k}"]
        level = max(self._last_read(k, sources), *(self.level[n] for n in carry.new), *multiplied)
        for i, n in enumerate(carry.new):
            self.levels[level].stores.append((n, Slot(f"carry{k}", i)))

    def _made_at(self, node: Node, level: int) -> bool:
        """Whether this is the level that computes what later ones load."""
        place = self.loads.get(node)
        return isinstance(place, Slot) and place.buffer == "crossing" and self.level[node] == level

    def _sums(self, level: Level) -> list[Sums]:
        """The sums of a level. What a loop over the units computes at some cost, a later one need not compute again."""
        stores, needed = [n for n, _ in level.stores], level.needed()
        depth: dict[Node, int] = {}
        for n in needed:
            inside = 0 if n in level.loads else max((depth[a] for a in n.args), default=0)
            depth[n] = inside + (n.op == "rowsum")
        loops: dict[tuple[int, str], list[Node]] = {}
        for n in needed:
            if n.op == "rowsum":
                loops.setdefault((depth[n], n.args[0].letter), []).append(n)
        order, found, known = sorted(loops), list[Sums](), set(level.loads)
        for i, (at, letter) in enumerate(order):
            roots = [n.args[0] for n in loops[at, letter]]
            here = [n for n in down(roots, partial(_is_known, known)) if n.letter == letter and n not in known]
            dear = {n for n in here if _cost(n, known) >= DEAR}
            later = [n.args[0] for key in order[i + 1 :] for n in loops[key]] + stores
            kept = {n for n in down(later, partial(_is_known, known | dear)) if n in dear}
            # What is cheap to have from the others need not be kept beside them.
            for n in sorted(kept, key=lambda n: -n.index):
                if _cost(n, known | (kept - {n})) < DEAR:
                    kept.remove(n)
            keeps: dict[Node, Slot] = {}
            for n in sorted(kept, key=lambda n: n.index):
                letters = self.buffers.get(KEPT, ())
                keeps[n] = Slot(KEPT, len(letters))
                self.buffers[KEPT] = (*letters, letter)
            known |= keeps.keys()
            found.append(Sums(letter, tuple(loops[at, letter]), keeps))
        return found

    def _cross(self) -> None:
        """Gives a place to what one level computes and a later one uses."""
        crossing: list[str] = []
        for at in range(self.last, 0, -1):
            stack, seen = [n for n, _ in self.levels[at].stores], set[Node]()
            while stack:
                n = stack.pop()
                if n in seen or (n in self.loads and not self._made_at(n, at)):
                    continue
                seen.add(n)
                if n.args and n.letter != "1" and self.level[n] < at:
                    self.loads[n] = Slot("crossing", len(crossing))
                    self.levels[self.level[n]].stores.append((n, self.loads[n]))
                    crossing.append(n.letter)
                else:
                    stack.extend(n.args)
        if crossing:
            self.buffers["crossing"] = tuple(crossing)


def down(roots: Iterable[Node], stop: Callable[[Node], bool]) -> list[Node]:
    """All that the roots are made of, down to where ``stop`` says so, arguments first."""
    found, stack = set[Node](), list(roots)
    while stack:
        n = stack.pop()
        if n not in found:
            found.add(n)
            if not stop(n):
                stack.extend(n.args)
    return sorted(found, key=lambda n: n.index)


def _is_known(known: Container[Node], node: Node) -> bool:
    """Whether a loop over the units need not compute it: sums are there before."""
    return node in known or node.op == "rowsum"


def _cost(node: Node, known: Container[Node]) -> int:
    """Operations to compute a value from what is known. Numbers of the row are computed once, for all units."""
    parts = [n for n in down([node], partial(_is_known, known)) if not _is_known(known, n)]
    return sum(COST.get(n.op, 1) for n in parts if n.letter != "1")
