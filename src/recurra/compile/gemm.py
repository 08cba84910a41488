"""The matrix product both passes share: rows times a matrix packed in panels.

A panel is two vectors wide: ``[panels, K, 2 * lanes]``. A tile of up to six rows by one panel is summed in registers,
12 of them for six rows; few rows take several panels at once, so that enough sums run side by side to hide the time
that one takes. Every element is summed over K in the same order whatever the tile, so a row's result does not depend
on the rows beside it.
"""

from functools import cache

from recurra.compile import packing
from recurra.compile.ir import Function, Lanes, declarations

UNROLLED = 2
# Panels at once, by rows of the tile.
PANELS = {1: 4, 2: 3, 3: 2, 4: 1, 5: 1, 6: 1}
MOST_ROWS = max(PANELS)

PARAMETERS = "ptr %a, i64 %a_stride, ptr %b, ptr %c, i64 %c_stride, i64 %rows, i64 %depth, i64 %count"
# For the modules that call it.
DECLARATION = f"declare void @multiply({PARAMETERS})\n"


def width(lanes: Lanes) -> int:
    """Columns of a panel."""
    return 2 * lanes.count


@cache
def module(lanes: Lanes) -> str:
    """``@multiply(a, a_stride, panels, c, c_stride, rows, depth, count)``: c = a times the panels; and ``@pack``."""
    shapes = {(rows, at_once) for rows, most in PANELS.items() for at_once in (1, most)}
    tiles = (_tile(lanes, *shape) for shape in sorted(shapes))
    return "\n".join([declarations(lanes), *tiles, _multiply(lanes), packing.functions(lanes)])


def _tile(lanes: Lanes, rows: int, panels: int) -> str:
    signature = f"internal void @tile_{rows}_{panels}(ptr %a, i64 %a_stride, ptr %b, ptr %c, i64 %c_stride, i64 %depth)"
    f = Function(f"{signature} noinline", lanes)
    size = width(lanes)
    panel_stride = f.mul("%depth", str(size))
    lines = [f.at("%a", f.mul("%a_stride", str(r))) for r in range(rows)]
    bases = [f.at("%b", f.mul(panel_stride, str(p))) for p in range(panels)]
    zero = "zeroinitializer"
    sums = [[f.slot(lanes.vector, zero) for _ in range(2 * panels)] for _ in range(rows)]
    with f.loop("0", "%depth", str(UNROLLED)) as k:
        for u in range(UNROLLED):
            at = f.add(k, str(u))
            offset = f.mul(at, str(size))
            weights = []
            for base in bases:
                first = f.at(base, offset)
                weights += [f.load(first), f.load(f.at(first, str(lanes.count)))]
            for r in range(rows):
                value = f.splat(f.let(f"load {lanes.scalar}, ptr {f.at(lines[r], at)}"))
                for place, weight in zip(sums[r], weights, strict=True):
                    before = f.let(f"load {lanes.vector}, ptr {place}")
                    f.do(f"store {lanes.vector} {f.fma(value, weight, before)}, ptr {place}")
    for r in range(rows):
        line = f.at("%c", f.mul("%c_stride", str(r)))
        for i, place in enumerate(sums[r]):
            f.store(f.let(f"load {lanes.vector}, ptr {place}"), f.at(line, str(i * lanes.count)))
    f.do("ret void")
    return f.text()


def _multiply(lanes: Lanes) -> str:
    f = Function(f"void @multiply({PARAMETERS})", lanes)
    panel_size = f.mul("%depth", str(width(lanes)))
    for rows in (1, 2, 3):
        with f.when(f.let(f"icmp eq i64 %rows, {rows}")):
            most = PANELS[rows]
            whole = f.mul(f.let(f"sdiv i64 %count, {most}"), str(most))
            for start, stop, at_once in (("0", whole, most), (whole, "%count", 1)):
                with f.loop(start, stop, str(at_once)) as p:
                    _call(f, rows, at_once, "%a", f.at("%b", f.mul(p, panel_size)), _column(f, p))
            f.do("ret void")
            f.label(f.name("unreached"))
    # Tiles of nearly equal height: seven rows are four and three, not six and one.
    tiles = f.let(f"sdiv i64 {f.add('%rows', str(MOST_ROWS - 1))}, {MOST_ROWS}")
    none = f.let(f"icmp eq i64 {tiles}, 0")
    divisor = f.let(f"select i1 {none}, i64 1, i64 {tiles}")
    least = f.let(f"sdiv i64 %rows, {divisor}")
    higher = f.let(f"sub i64 %rows, {f.mul(least, tiles)}")
    with f.loop("0", "%count") as p:
        panel, column = f.at("%b", f.mul(p, panel_size)), _column(f, p)
        row = f.slot("i64", "0")
        with f.loop("0", tiles) as i:
            is_higher = f.let(f"icmp slt i64 {i}, {higher}")
            extra = f.let(f"zext i1 {is_higher} to i64")
            height = f.add(least, extra)
            r = f.let(f"load i64, ptr {row}")
            a, c = f.at("%a", f.mul(r, "%a_stride")), f.at(column, f.mul(r, "%c_stride"))
            for rows in (6, 5, 4, 3):
                with f.when(f.let(f"icmp eq i64 {height}, {rows}")):
                    _call(f, rows, 1, a, panel, c)
            f.do(f"store i64 {f.add(r, height)}, ptr {row}")
    f.do("ret void")
    return f.text()


def _column(f: Function, panel: str) -> str:
    return f.at("%c", f.mul(panel, str(width(f.lanes))))


def _call(f: Function, rows: int, panels: int, a: str, b: str, c: str) -> None:
    f.do(f"call void @tile_{rows}_{panels}(ptr {a}, i64 %a_stride, ptr {b}, ptr {c}, i64 %c_stride, i64 %depth)")
