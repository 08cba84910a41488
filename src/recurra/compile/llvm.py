"""A scheduled program as LLVM IR: one function that takes a share of the rows through all their steps.

``void run(ptr arguments)`` is called by every thread. ``arguments`` are 64-bit numbers and addresses, in the order of
``Code.arguments``; threads draw the next share from a counter among them. Rows of a share are sorted longest first,
so that those active at a step are a prefix. Where there are too few rows for all threads, the threads are a team: they
go through every share together, each with some of the units and of the products' columns.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce

from recurra.compile import functions, gemm, packing, team
from recurra.compile.graph import LETTERS, Node, reachable
from recurra.compile.ir import Function, Lanes, declarations
from recurra.compile.plan import Column, Program
from recurra.compile.schedule import KEPT, Level, Multiply, Place, Schedule, Slot, Sums, schedule

ENTRY, PACK = "run", "pack"
# member, members: which of a team, and how many they are.
_SHARE = "ptr %arguments, i64 %share, i64 %member, i64 %members"
# Leaves that are read from what the caller gives by name: for all rows, for each sequence, keys for each sequence.
GIVEN = ("vector", "mask", "noise")


@dataclass(frozen=True)
class Code:
    """text: the module. arguments: names of what ``run`` is given.

    drawn, team, shares, bounds: the counter (none: the caller takes all shares), who go together (none: each for
    itself), how many shares, [shares + 1] where each begins among the rows.
    rows, first, lengths: for each row in the order of the shares, its sequence, the address of its first step in the
    direction of reading, and its steps. direction: 1 or -1. H, R, I: units; H.padded, ...: to whole vectors.
    stream.X, stream.X.stride; buffer.X, buffer.X.stride; vector.X; mask.X [B, ...]; noise.X: keys [B];
    carryK.in, carryK.out: [B, ...] tensors; matrix.I, matrix.I.depth, matrix.I.count: packed panels of the I-th of
    ``products``, which ``void pack(ptr arguments)`` fills from weights.I, the matrix as it is.
    """

    text: str
    arguments: tuple[str, ...]
    schedule: Schedule
    products: tuple[Multiply, ...]


def emit(program: Program, lanes: Lanes) -> Code:
    return _Emitter(schedule(program), lanes).emit()


class _Emitter:
    def __init__(self, scheduled: Schedule, lanes: Lanes):
        self.schedule, self.program, self.lanes = scheduled, scheduled.program, lanes
        self.products = tuple(m for level in scheduled.levels for m in level.products)
        self.names = self._arguments()
        self.f = Function(f"internal void @share({_SHARE}) noinline", lanes)
        self.given: dict[str, str] = {}

    def _arguments(self) -> tuple[str, ...]:
        names = ["drawn", "team", "shares", "bounds", "rows", "first", "lengths", "direction"]
        names += [*LETTERS, *(f"{letter}.padded" for letter in LETTERS)]
        for stream in self.program.streams:
            names += [f"stream.{stream}", f"stream.{stream}.stride"]
        for buffer in self.schedule.buffers:
            names += [f"buffer.{buffer}", f"buffer.{buffer}.stride"]
        for k in range(len(self.program.carries)):
            names += [f"carry{k}.in", f"carry{k}.out"]
        for i in range(len(self.products)):
            names += [f"matrix.{i}", f"matrix.{i}.depth", f"matrix.{i}.count", f"weights.{i}"]
        stored = [n for level in self.schedule.levels for n, _ in level.stores]
        given = {f"{n.op}.{n.data[0]}" for n in reachable(stored) if n.op in GIVEN and isinstance(n.data, tuple)}
        return (*names, *sorted(given))

    def emit(self) -> Code:
        self._share()
        parts = declarations(self.lanes), gemm.DECLARATION, packing.DECLARATION, team.functions(self.lanes)
        text = "\n".join([*parts, self.f.text(), self._entry(), self._pack()])
        return Code(text, self.names, self.schedule, self.products)

    def _entry(self) -> str:
        f = Function(f"void @{ENTRY}(ptr %arguments)", self.lanes)
        drawn, together = (f.let(f"load ptr, ptr {f.at('%arguments', i, 'ptr')}") for i in ("0", "1"))
        shares = f.integer("%arguments", "2")

        def take(share: str, member: str = "0", members: str = "1") -> None:
            f.do(f"call void @share(ptr %arguments, i64 {share}, i64 {member}, i64 {members})")

        with f.when(f.let(f"icmp eq ptr {drawn}, null")):
            with f.loop("0", shares) as share:
                take(share)
            f.do("ret void")
            f.label(f.name("unreached"))
        with f.when(f.let(f"icmp ne ptr {together}, null")):
            member = f.let(f"atomicrmw add ptr {drawn}, i64 1 seq_cst")
            members = f.let(f"call i64 @members(ptr {together})")
            with f.loop("0", shares) as share:
                take(share, member, members)
            f.do("ret void")
            f.label(f.name("unreached"))
        head, body, done = f.name("head"), f.name("body"), f.name("done")
        f.do(f"br label %{head}")
        f.label(head)
        share = f.let(f"atomicrmw add ptr {drawn}, i64 1 seq_cst")
        f.do(f"br i1 {f.let(f'icmp slt i64 {share}, {shares}')}, label %{body}, label %{done}")
        f.label(body)
        take(share)
        f.do(f"br label %{head}")
        f.label(done)
        f.do("ret void")
        return f.text()

    def _pack(self) -> str:
        f = Function(f"void @{PACK}(ptr %arguments)", self.lanes)

        def given(name: str) -> str:
            kind = "ptr" if self._is_pointer(name) else "i64"
            return f.let(f"load {kind}, ptr {f.at('%arguments', str(self.names.index(name)), 'i64')}")

        for i, m in enumerate(self.products):
            source = self.schedule.buffers[m.source]
            sizes = given(source[0]), len(source), given(m.product.letter), m.product.blocks
            places = given(f"weights.{i}"), given(f"matrix.{i}")
            numbers = ", ".join([*(f"ptr {place}" for place in places), *(f"i64 {size}" for size in sizes)])
            f.do(f"call void @{packing.name(m.product.transposed)}({numbers})")
        f.do("ret void")
        return f.text()

    # --- all steps of one share ---

    def _share(self) -> None:
        f = self.f
        for index, name in enumerate(self.names):
            place = f.at("%arguments", str(index), "i64")
            self.given[name] = f.let(f"load {'ptr' if self._is_pointer(name) else 'i64'}, ptr {place}")
        self._masks()
        self.met = f.slot("i64", "0")
        onward = f.mul(self.given["direction"], "-1" if self.program.backward else "1")
        self.ahead = {x: f.mul(self.given[f"stream.{x}.stride"], onward) for x in self.program.streams}
        self.start = start = f.integer(self.given["bounds"], "%share")
        stop = f.integer(self.given["bounds"], f.add("%share", "1"))
        with self._rows(start, stop) as i:
            for k in range(len(self.program.carries)):
                self._copy_carry(k, i, "in")
        longest = f.integer(self.given["lengths"], start)
        active = f.slot("i64", start if self.program.backward else stop)
        with f.loop("0", longest) as step:
            t = f.let(f"sub i64 {f.let(f'sub i64 {longest}, 1')}, {step}") if self.program.backward else step
            last = self._active(active, start, stop, t)
            for level in self.schedule.levels:
                if level.stores:
                    with self._rows(start, last) as i:
                        _RowFunction(self, level, i, t).emit()
                if level.products:
                    self._wait()  # for what the others wrote
                    for m in level.products:
                        self._multiply(m, start, last)
                    self._wait()
        with self._rows(start, stop) as i:
            for k in range(len(self.program.carries)):
                self._copy_carry(k, i, "out")
        f.do("ret void")

    @staticmethod
    def _is_pointer(name: str) -> bool:
        room, _, rest = name.partition(".")
        if room.startswith("carry") or room in (*GIVEN, "weights"):
            return True
        return room in ("drawn", "team", "bounds", "rows", "first", "lengths") or (
            room in ("stream", "buffer", "matrix") and not rest.endswith((".stride", ".depth", ".count"))
        )

    def _masks(self) -> None:
        """By letter: this member's units in whole vectors, whether the last member has some left, and which lanes of
        the last vector they fill."""
        f, v = self.f, self.lanes
        self.whole, self.some_left, self.mask, self.number = {}, {}, {}, {}
        is_last = f.let(f"icmp eq i64 {f.add('%member', '1')}, %members")
        for letter in LETTERS:
            n = self.given[letter]
            left = f.let(f"urem i64 {n}, {v.count}")
            vectors = f.let(f"udiv i64 {n}, {v.count}")
            start, stop = (f.mul(bound, str(v.count)) for bound in self._part(vectors))
            self.whole[letter] = start, stop
            self.some_left[letter] = f.let(f"and i1 {is_last}, {f.let(f'icmp ne i64 {left}, 0')}")
            self.mask[letter] = f.first(left)
            self.number[letter] = f.splat(f.let(f"sitofp i64 {n} to {v.scalar}"))

    def _part(self, count: str) -> tuple[str, str]:
        """Of so many things, this member's first and the next one's."""
        f = self.f
        ends = "%member", f.add("%member", "1")
        start, stop = (f.let(f"udiv i64 {f.mul(count, end)}, %members") for end in ends)
        return start, stop

    def _wait(self) -> None:
        """Until all members are here."""
        with self.f.when(self.f.let("icmp ugt i64 %members, 1")):
            self.f.do(f"call void @wait(ptr {self.given['team']}, i64 %members, ptr {self.met})")

    @contextmanager
    def _rows(self, start: str, stop: str) -> Iterator[str]:
        with self.f.loop(start, stop) as i:
            yield i

    def _active(self, slot: str, start: str, stop: str, t: str) -> str:
        """Moves the end of the active rows: down as sequences end, up as, going back, their last steps come."""
        f = self.f
        head, check, move, done = f.name("head"), f.name("check"), f.name("move"), f.name("done")
        f.do(f"br label %{head}")
        f.label(head)
        last = f.let(f"load i64, ptr {slot}")
        if self.program.backward:
            f.do(f"br i1 {f.let(f'icmp slt i64 {last}, {stop}')}, label %{check}, label %{done}")
            f.label(check)
            length = f.integer(self.given["lengths"], last)
            f.do(f"br i1 {f.let(f'icmp sgt i64 {length}, {t}')}, label %{move}, label %{done}")
        else:
            f.do(f"br i1 {f.let(f'icmp sgt i64 {last}, {start}')}, label %{check}, label %{done}")
            f.label(check)
            length = f.integer(self.given["lengths"], f.add(last, "-1"))
            f.do(f"br i1 {f.let(f'icmp sle i64 {length}, {t}')}, label %{move}, label %{done}")
        f.label(move)
        f.do(f"store i64 {f.add(last, '1' if self.program.backward else '-1')}, ptr {slot}")
        f.do(f"br label %{head}")
        f.label(done)
        return last

    def _multiply(self, m: Multiply, start: str, last: str) -> None:
        f, given, number = self.f, self.given, self.products.index(m)
        a_stride, c_stride = given[f"buffer.{m.source}.stride"], given[f"buffer.{m.target}.stride"]
        a = f.at(given[f"buffer.{m.source}"], f.mul(start, a_stride))
        c = f.at(given[f"buffer.{m.target}"], f.mul(start, c_stride))
        rows = f.let(f"sub i64 {last}, {start}")
        depth, panel = given[f"matrix.{number}.depth"], str(gemm.width(self.lanes))
        first, stop = self._part(given[f"matrix.{number}.count"])
        matrix = f.at(given[f"matrix.{number}"], f.mul(f.mul(first, depth), panel))
        c = f.at(c, f.mul(first, panel))
        count = f.let(f"sub i64 {stop}, {first}")
        f.do(
            f"call void @multiply(ptr {a}, i64 {a_stride}, ptr {matrix}, ptr {c}, i64 {c_stride}, "
            f"i64 {rows}, i64 {depth}, i64 {count})"
        )

    def _copy_carry(self, k: int, row: str, way: str) -> None:
        """Between a [B, units] tensor and the buffer, whose blocks are padded with zeros to whole vectors."""
        f, letters = self.f, self.schedule.buffers[f"carry{k}"]
        sequence = f.integer(self.given["rows"], row)
        units = self.offset(letters, len(letters), padded=False)
        outside = f.at(self.given[f"carry{k}.{way}"], f.mul(sequence, units))
        inside = f.at(self.given[f"buffer.carry{k}"], f.mul(row, self.given[f"buffer.carry{k}.stride"]))
        for b, letter in enumerate(letters):
            there = f.at(outside, self.offset(letters, b, padded=False))
            here = f.at(inside, self.offset(letters, b, padded=True))
            for j, mask in self.units(letter):
                if way == "in":
                    self.store_padded(self.load_exact(f.at(there, j), mask), f.at(here, j), mask)
                else:
                    self.store_exact(f.load(f.at(here, j)), f.at(there, j), mask)

    # --- shared with the row function ---

    def units(self, letter: str) -> Iterator[tuple[str, str | None]]:
        """Runs its body twice: for whole vectors, and with a mask for what is left. Gives the first unit."""
        f, (start, stop) = self.f, self.whole[letter]
        with f.loop(start, stop, str(self.lanes.count)) as j:
            yield j, None
        with f.when(self.some_left[letter]):
            yield stop, self.mask[letter]

    def offset(self, letters: tuple[str, ...], index: int, *, padded: bool) -> str:
        """Where a block begins among blocks of these letters."""
        f, suffix = self.f, ".padded" if padded else ""
        before = letters[:index]
        parts = [f.mul(self.given[x + suffix], str(before.count(x))) for x in LETTERS if x in before]
        parts += [str(before.count("1"))] if "1" in before else []
        return reduce(f.add, parts) if parts else "0"

    def load_exact(self, pointer: str, mask: str | None) -> str:
        return self.f.load(pointer) if mask is None else self.f.load_some(pointer, mask)

    def store_exact(self, value: str, pointer: str, mask: str | None) -> None:
        if mask is None:
            self.f.store(value, pointer)
        else:
            self.f.store_some(value, pointer, mask)

    def store_padded(self, value: str, pointer: str, mask: str | None) -> None:
        """Into a buffer: the lanes past the last unit are zero, as they enter matrix products."""
        self.f.store(value if mask is None else self.f.choose(mask, value, self.lanes.all(0.0)), pointer)


class _RowFunction:
    """One level of one row: sums over the row first, then everything that is stored, unit by unit."""

    def __init__(self, emitter: _Emitter, level: Level, row: str, t: str):
        self.e, self.f, self.level, self.row = emitter, emitter.f, level, row
        self.bases: dict[str, str] = {}
        self.numbers: dict[Node, str] = {}
        self.kept: dict[Node, Slot] = {}
        f, given = self.f, emitter.given
        self.t = t
        step = f.mul(given["direction"], t)
        self.address = f.add(f.integer(given["first"], row), step)

    def emit(self) -> None:
        f, needed = self.f, self.level.needed()
        places = [*(p for _, p in self.level.stores), *(self.level.loads[n] for n in needed if n in self.level.loads)]
        places += [slot for loop in self.level.sums for slot in loop.keeps.values()]
        for place in places:
            self._base(place)
        for n in needed:
            if n.letter == "1" and n in self.level.loads:
                at = self._at(self.level.loads[n], "0")
                self.numbers[n] = f.splat(f.let(f"load {self.e.lanes.scalar}, ptr {at}"))
        for loop in self.level.sums:
            self._sum(loop)
        for letter in LETTERS:
            stores = [(n, p) for n, p in self.level.stores if self._letter(p) == letter]
            if stores:
                for j, mask in self.e.units(letter):
                    known: dict[Node, str] = {}
                    values = [self._value(n, j, mask, known) for n, _ in stores]
                    for value, (_, place) in zip(values, stores, strict=True):
                        self._store(value, place, j, mask)
        for n, place in self.level.stores:
            if self._letter(place) == "1":
                number = f.let(f"extractelement {self.e.lanes.vector} {self._value(n, '0', None, {})}, i64 0")
                f.do(f"store {self.e.lanes.scalar} {number}, ptr {self._at(place, '0')}")

    def _letters(self, place: Place) -> tuple[str, ...]:
        if isinstance(place, Column):
            return self.e.program.streams[place.stream]
        return self.e.schedule.buffers[place.buffer]

    def _letter(self, place: Place) -> str:
        return self._letters(place)[place.index]

    def _base(self, place: Place) -> str:
        """Where this row begins in a stream or a buffer."""
        name = f"stream.{place.stream}" if isinstance(place, Column) else f"buffer.{place.buffer}"
        if name not in self.bases:
            index = self.address if isinstance(place, Column) else self.row
            if name == f"buffer.{KEPT}":
                index = self.e.start  # one place for all rows of a share, which stays in the cache
            f, given = self.f, self.e.given
            self.bases[name] = f.at(given[name], f.mul(index, given[f"{name}.stride"]))
        return self.bases[name]

    def _now(self, place: Column, j: str, mask: str | None) -> str:
        """As ``_at``. Brings the next step's row near, which no processor foresees: other sequences come between."""
        at = self._at(place, j)
        if mask is None:
            self.f.prefetch(self.f.at(at, self.e.ahead[place.stream]))
        return at

    def _at(self, place: Place, j: str) -> str:
        offset = self.e.offset(self._letters(place), place.index, padded=isinstance(place, Slot))
        return self.f.at(self._base(place), self.f.add(offset, j))

    def _value(self, n: Node, j: str, mask: str | None, known: dict[Node, str]) -> str:
        if n not in known:
            known[n] = self._new_value(n, j, mask, known)
        return known[n]

    def _new_value(self, n: Node, j: str, mask: str | None, known: dict[Node, str]) -> str:
        f, place = self.f, self.level.loads.get(n) or self.kept.get(n)
        if n in self.numbers:
            return self.numbers[n]
        if isinstance(place, Slot):
            return f.load(self._at(place, j))
        if place is not None:
            return self.e.load_exact(self._now(place, j, mask), mask)
        if n.op == "const":
            assert isinstance(n.data, tuple)
            return self.e.lanes.all(n.data[1])
        if n.op == "size":
            return self.e.number[str(n.data)]
        if n.op == "vector":
            assert isinstance(n.data, tuple)
            name, block = n.data
            offset = f.mul(self.e.given[n.letter], str(block))
            return self.e.load_exact(f.at(self.e.given[f"vector.{name}"], f.add(offset, j)), mask)
        if n.op in ("mask", "noise"):
            assert isinstance(n.data, tuple)
            return self._random(n.op, *n.data, units=self.e.given[n.letter], j=j, mask=mask)
        return functions.apply(f, n.op, n.data, [self._value(a, j, mask, known) for a in n.args])

    def _random(self, op: str, name: str, block: int, blocks: int, *, units: str, j: str, mask: str | None) -> str:
        f, given = self.f, self.e.given[f"{op}.{name}"]
        sequence = f.integer(self.e.given["rows"], self.row)
        unit = f.add(f.mul(units, str(block)), j)
        if op == "noise":
            return functions.uniform(f, f.integer(given, sequence), self.t, unit)
        start = f.mul(sequence, f.mul(units, str(blocks)))
        return self.e.load_exact(f.at(given, f.add(start, unit)), mask)

    def _store(self, value: str, place: Place, j: str, mask: str | None) -> None:
        if isinstance(place, Slot):
            self.e.store_padded(value, self._at(place, j), mask)
        else:
            self.e.store_exact(value, self._now(place, j, mask), mask)

    def _sum(self, loop: Sums) -> None:
        """The sum of each block over its units, in every lane; what is kept for later is stored on the way."""
        f, v = self.f, self.e.lanes
        totals = [f.slot(v.vector, "zeroinitializer") for _ in loop.nodes]
        for j, mask in self.e.units(loop.letter):
            known: dict[Node, str] = {}
            for n, total in zip(loop.nodes, totals, strict=True):
                value = self._value(n.args[0], j, mask, known)
                if mask is not None:
                    value = f.choose(mask, value, v.all(0.0))
                before = f.let(f"load {v.vector}, ptr {total}")
                f.do(f"store {v.vector} {f.two('fadd', before, value)}, ptr {total}")
            for n, slot in loop.keeps.items():
                self._store(self._value(n, j, mask, known), slot, j, mask)
        self.kept |= loop.keeps
        self.numbers |= {n: self._spread_sum(total) for n, total in zip(loop.nodes, totals, strict=True)}

    def _spread_sum(self, total: str) -> str:
        """The sum of a vector's lanes, in every lane."""
        f, v = self.f, self.e.lanes
        lanes = f.let(f"load {v.vector}, ptr {total}")
        reduced = f"call reassoc {v.scalar} @llvm.vector.reduce.fadd.{v.suffix}"
        return f.splat(f.let(f"{reduced}({v.scalar} {v.number(-0.0)}, {v.vector} {lanes})"))
