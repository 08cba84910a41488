"""Threads that go through the same rows together, each with some of the units, and wait for each other.

Where rows are fewer than threads, a step is shared out by units. A product then needs what all wrote before it, and
what comes after it needs all of the product: they meet twice a product. In between nobody reads what another writes.
A team is four 64-bit numbers: how often someone arrived, how many were asked for, and the addresses of two functions
that may be missing (0): one that tells how many threads there really are, one that lets another thread have the core.
"""

import ctypes

from recurra.compile import threads
from recurra.compile.ir import Function, Lanes

# Looks at the others before this one lets go of its core: a few microseconds.
PATIENCE = 5000


def new(count: int) -> "ctypes.Array[ctypes.c_int64]":
    """A team of so many threads, once: for one call of ``threads.run``."""
    return (ctypes.c_int64 * 4)(0, count, threads.counter(), threads.give_way())


def functions(lanes: Lanes) -> str:
    """``@members(team)``: how many they are. ``@wait(team, members, met)``: until all are here.

    met: how many have arrived when all are, each member's own count.
    """
    return "\n".join([_members(lanes), _wait(lanes)])


def _members(lanes: Lanes) -> str:
    f = Function("internal i64 @members(ptr %team)", lanes)
    tell = f.let(f"load ptr, ptr {f.at('%team', '2', 'i64')}")
    with f.when(f.let(f"icmp ne ptr {tell}, null")):
        told = f.let(f"call i32 {tell}()")
        f.do(f"ret i64 {f.let(f'sext i32 {told} to i64')}")
        f.label(f.name("unreached"))
    f.do(f"ret i64 {f.integer('%team', '1')}")
    return f.text()


def _wait(lanes: Lanes) -> str:
    f = Function("internal void @wait(ptr %team, i64 %members, ptr %met) noinline", lanes)
    wanted = f.add(f.let("load i64, ptr %met"), "%members")
    f.do(f"store i64 {wanted}, ptr %met")
    f.do("atomicrmw add ptr %team, i64 1 seq_cst")
    looks = f.slot("i64", "0")
    look, go_on, tired, rest, done = (f.name(x) for x in ("look", "go_on", "tired", "rest", "done"))
    f.do(f"br label %{look}")
    f.label(look)
    arrived = f.let("load atomic i64, ptr %team seq_cst, align 8")
    f.do(f"br i1 {f.let(f'icmp sge i64 {arrived}, {wanted}')}, label %{done}, label %{go_on}")
    f.label(go_on)
    times = f.add(f.let(f"load i64, ptr {looks}"), "1")
    f.do(f"store i64 {times}, ptr {looks}")
    f.do(f"br i1 {f.let(f'icmp slt i64 {times}, {PATIENCE}')}, label %{look}, label %{tired}")
    f.label(tired)
    f.do(f"store i64 0, ptr {looks}")
    give_way = f.let(f"load ptr, ptr {f.at('%team', '3', 'i64')}")
    f.do(f"br i1 {f.let(f'icmp eq ptr {give_way}, null')}, label %{look}, label %{rest}")
    f.label(rest)
    f.do(f"call i32 {give_way}()")
    f.do(f"br label %{look}")
    f.label(done)
    f.do("ret void")
    return f.text()
