"""A small writer of LLVM IR: one function at a time, vectors of the host's width, and the functions cells need."""

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Lanes:
    """scalar: "float" or "double". count: elements of a vector."""

    scalar: str
    count: int

    @property
    def vector(self) -> str:
        return f"<{self.count} x {self.scalar}>"

    @property
    def integers(self) -> str:
        return f"<{self.count} x i{8 * self.bytes}>"

    @property
    def mask(self) -> str:
        return f"<{self.count} x i1>"

    @property
    def bytes(self) -> int:
        return 4 if self.scalar == "float" else 8

    @property
    def suffix(self) -> str:
        """Of the names of intrinsics."""
        return f"v{self.count}f{8 * self.bytes}"

    def number(self, value: float) -> str:
        """A constant as LLVM writes it: the bits of a double, of a value that the type holds exactly."""
        if self.scalar == "float" and math.isfinite(value):
            value = struct.unpack("f", struct.pack("f", value))[0]
        return f"0x{struct.unpack('>Q', struct.pack('>d', value))[0]:016X}"

    def all(self, value: float) -> str:
        return f"<{', '.join([f'{self.scalar} {self.number(value)}'] * self.count)}>"

    def all_integers(self, value: int) -> str:
        return f"<{', '.join([f'i{8 * self.bytes} {value}'] * self.count)}>"


class Function:
    """Lines of one function. ``let`` names a result, ``do`` has none; loops count from one number to another."""

    def __init__(self, signature: str, lanes: Lanes):
        self.signature, self.lanes = signature, lanes
        self._lines: list[str] = []
        self._slots: list[str] = []
        self._names = 0

    def text(self) -> str:
        return "\n".join([f"define {self.signature} {{", "entry:", *self._slots, *self._lines, "}", ""])

    def name(self, stem: str) -> str:
        self._names += 1
        return f"{stem}{self._names}"

    def let(self, expression: str) -> str:
        result = self.name("%v")
        self._lines.append(f"  {result} = {expression}")
        return result

    def do(self, statement: str) -> None:
        self._lines.append(f"  {statement}")

    def label(self, name: str) -> None:
        self._lines.append(f"{name}:")

    def slot(self, kind: str, value: str) -> str:
        """A variable. LLVM turns it into registers."""
        place = self.name("%s")
        self._slots.append(f"  {place} = alloca {kind}")
        self.do(f"store {kind} {value}, ptr {place}")
        return place

    @contextmanager
    def loop(self, start: str, stop: str, step: str = "1") -> Iterator[str]:
        """for i in range(start, stop, step), of i64; gives i."""
        head, body, done = self.name("head"), self.name("body"), self.name("done")
        counter = self.slot("i64", start)
        self.do(f"br label %{head}")
        self.label(head)
        i = self.let(f"load i64, ptr {counter}")
        more = self.let(f"icmp slt i64 {i}, {stop}")
        self.do(f"br i1 {more}, label %{body}, label %{done}")
        self.label(body)
        yield i
        following = self.let(f"add i64 {i}, {step}")
        self.do(f"store i64 {following}, ptr {counter}")
        self.do(f"br label %{head}")
        self.label(done)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        then, done = self.name("then"), self.name("done")
        self.do(f"br i1 {condition}, label %{then}, label %{done}")
        self.label(then)
        yield
        self.do(f"br label %{done}")
        self.label(done)

    # --- integers and addresses ---

    def add(self, a: str, b: str) -> str:
        return self.let(f"add i64 {a}, {b}")

    def mul(self, a: str, b: str) -> str:
        return self.let(f"mul i64 {a}, {b}")

    def at(self, pointer: str, index: str, kind: str | None = None) -> str:
        return self.let(f"getelementptr {kind or self.lanes.scalar}, ptr {pointer}, i64 {index}")

    def integer(self, pointer: str, index: str) -> str:
        return self.let(f"load i64, ptr {self.at(pointer, index, 'i64')}")

    # --- vectors ---

    def load(self, pointer: str) -> str:
        return self.let(f"load {self.lanes.vector}, ptr {pointer}, align {self.lanes.bytes}")

    def prefetch(self, pointer: str) -> None:
        """What is read or written soon is brought near; the address need not be anybody's."""
        self.do(f"call void @llvm.prefetch.p0(ptr {pointer}, i32 0, i32 3, i32 1)")

    def store(self, value: str, pointer: str) -> None:
        self.do(f"store {self.lanes.vector} {value}, ptr {pointer}, align {self.lanes.bytes}")

    def load_some(self, pointer: str, mask: str) -> str:
        """The lanes of the mask; zero in the others."""
        v = self.lanes
        arguments = f"ptr {pointer}, i32 {v.bytes}, {v.mask} {mask}, {v.vector} zeroinitializer"
        return self.let(f"call {v.vector} @llvm.masked.load.{v.suffix}.p0({arguments})")

    def store_some(self, value: str, pointer: str, mask: str) -> None:
        v = self.lanes
        arguments = f"{v.vector} {value}, ptr {pointer}, i32 {v.bytes}, {v.mask} {mask}"
        self.do(f"call void @llvm.masked.store.{v.suffix}.p0({arguments})")

    def splat(self, scalar: str) -> str:
        v = self.lanes
        first = self.let(f"insertelement {v.vector} poison, {v.scalar} {scalar}, i64 0")
        return self.let(f"shufflevector {v.vector} {first}, {v.vector} poison, <{v.count} x i32> zeroinitializer")

    def first(self, count: str) -> str:
        """A mask of so many lanes, all there are at most."""
        v, kind = self.lanes, f"i{8 * self.lanes.bytes}"
        number = count if kind == "i64" else self.let(f"trunc i64 {count} to {kind}")
        one = self.let(f"insertelement {v.integers} poison, {kind} {number}, i64 0")
        spread = self.let(f"shufflevector {v.integers} {one}, {v.integers} poison, <{v.count} x i32> zeroinitializer")
        numbers = ", ".join(f"{kind} {i}" for i in range(v.count))
        return self.let(f"icmp slt {v.integers} <{numbers}>, {spread}")

    def fma(self, a: str, b: str, c: str) -> str:
        v = self.lanes.vector
        return self.let(f"call {v} @llvm.fma.{self.lanes.suffix}({v} {a}, {v} {b}, {v} {c})")

    def two(self, operation: str, a: str, b: str) -> str:
        return self.let(f"{operation} {self.lanes.vector} {a}, {b}")

    def choose(self, mask: str, a: str, b: str) -> str:
        v = self.lanes
        return self.let(f"select {v.mask} {mask}, {v.vector} {a}, {v.vector} {b}")

    def compare(self, how: str, a: str, b: str) -> str:
        return self.let(f"fcmp {how} {self.lanes.vector} {a}, {b}")

    def intrinsic(self, name: str, a: str) -> str:
        v = self.lanes
        return self.let(f"call {v.vector} @llvm.{name}.{v.suffix}({v.vector} {a})")


def declarations(lanes: Lanes) -> str:
    """What a module says of the intrinsics that ``Function`` calls."""
    v, s = lanes.vector, lanes.suffix
    lines = [
        f"declare {v} @llvm.masked.load.{s}.p0(ptr, i32, {lanes.mask}, {v})",
        f"declare void @llvm.masked.store.{s}.p0({v}, ptr, i32, {lanes.mask})",
        f"declare {v} @llvm.fma.{s}({v}, {v}, {v})",
        "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
        f"declare {v} @llvm.fabs.{s}({v})",
        f"declare {v} @llvm.sqrt.{s}({v})",
        f"declare {v} @llvm.copysign.{s}({v}, {v})",
        f"declare {lanes.scalar} @llvm.vector.reduce.fadd.{s}({lanes.scalar}, {v})",
    ]
    return "\n".join(lines) + "\n"
