"""Weights laid out for the matrix product: ``[panels, depth, panel width]``, as ``gemm`` reads them.

What enters a product goes down, what comes out of it across, each block of units padded with zeros to whole vectors.
The forward product takes a matrix transposed, the backward one as it is. Compiled code packs at every call, as weights
may change between calls without a trace; it runs at about the speed of memory.
"""

from recurra.compile.ir import Function, Lanes

# matrix: [blocks * size, ...] on both sides; in: of what enters the product; out: of what comes out.
_PARAMETERS = "ptr %from, ptr %to, i64 %in, i64 %in_blocks, i64 %out, i64 %out_blocks"
# For the modules that call it.
DECLARATION = f"declare void @pack_across({_PARAMETERS})\ndeclare void @pack_down({_PARAMETERS})\n"


def name(transposed: bool) -> str:
    """``pack_down`` for the product with the transpose, whose matrix [in, out] lies as it is needed; ``pack_across``
    for a matrix [out, in]."""
    return "pack_down" if transposed else "pack_across"


def functions(lanes: Lanes) -> str:
    """Both of them."""
    return "\n".join([_pack(lanes, True), _pack(lanes, False)])


def _pack(lanes: Lanes, transposed: bool) -> str:
    """One vector of columns after the other, from the first row of its panel to the last."""
    f, n, panel = Function(f"void @{name(transposed)}({_PARAMETERS})", lanes), lanes.count, 2 * lanes.count
    in_padded, out_padded = (f.mul(f.let(f"sdiv i64 {f.add(x, str(n - 1))}, {n}"), str(n)) for x in ("%in", "%out"))
    depth, columns = f.mul("%in_blocks", in_padded), f.mul("%out_blocks", out_padded)
    panel_size = f.mul(depth, str(panel))

    def column(number: str) -> str:
        """Where it begins."""
        whole = f.let(f"sdiv i64 {number}, {panel}")
        rest = f.let(f"srem i64 {number}, {panel}")
        return f.at("%to", f.add(f.mul(whole, panel_size), rest))

    with f.loop("0", "%out_blocks") as block, f.loop("0", "%out", str(n)) as unit:
        to = column(f.add(f.mul(block, out_padded), unit))
        first = f.add(f.mul(block, "%out"), unit)
        with f.loop("0", "%in_blocks") as in_block:
            start, below = f.mul(in_block, "%in"), f.mul(in_block, in_padded)
            rows = f.at(to, f.mul(below, str(panel)))
            if transposed:
                matrix = f.at(f.at("%from", f.mul(start, f.mul("%out", "%out_blocks"))), first)
                _copy_down(f, matrix, rows, f.let(f"sub i64 %out, {unit}"), in_padded)
            else:
                matrix = f.at(f.at("%from", f.mul(first, f.mul("%in", "%in_blocks"))), start)
                _turn_down(f, matrix, rows, f.let(f"sub i64 %out, {unit}"))
    # The last panel may be half full.
    with f.when(f.let(f"icmp ne i64 {f.let(f'srem i64 {columns}, {panel}')}, 0")):
        rest = column(columns)
        with f.loop("0", depth) as k:
            f.store("zeroinitializer", f.at(rest, f.mul(k, str(panel))))
    f.do("ret void")
    return f.text()


def _copy_down(f: Function, matrix: str, to: str, columns: str, in_padded: str) -> None:
    """A vector of columns, of which so many are there, of the rows of a block."""
    mask, stride, panel = f.first(columns), f.mul("%out", "%out_blocks"), str(2 * f.lanes.count)
    with f.loop("0", "%in") as k:
        f.store(f.load_some(f.at(matrix, f.mul(k, stride)), mask), f.at(to, f.mul(k, panel)))
    with f.loop("%in", in_padded) as k:
        f.store("zeroinitializer", f.at(to, f.mul(k, panel)))


def _turn_down(f: Function, matrix: str, to: str, rows: str) -> None:
    """As many rows as a vector has lanes, of which so many are there, become its lanes."""
    n, stride, panel = f.lanes.count, f.mul("%in", "%in_blocks"), 2 * f.lanes.count
    there = [f.let(f"icmp slt i64 {r}, {rows}") for r in range(n)]
    lines = [f.at(matrix, f.mul(stride, str(r))) for r in range(n)]
    with f.loop("0", "%in", str(n)) as k:
        left = f.let(f"sub i64 %in, {k}")
        masks = [f.first(f.let(f"select i1 {is_there}, i64 {left}, i64 0")) for is_there in there]
        vectors = [f.load_some(f.at(line, k), mask) for line, mask in zip(lines, masks, strict=True)]
        for r, vector in enumerate(_transposed(f, vectors)):
            f.store(vector, f.at(to, f.mul(f.add(k, str(r)), str(panel))))


def _transposed(f: Function, vectors: list[str]) -> list[str]:
    """Lanes become vectors: at each distance d, lanes with bit d of one vector change places with those without it of
    the vector d further on."""
    n, v = f.lanes.count, f.lanes
    d = 1
    while d < n:
        low = ", ".join(f"i32 {i if not i & d else n + i - d}" for i in range(n))
        high = ", ".join(f"i32 {i + d if not i & d else n + i}" for i in range(n))
        turned = list(vectors)
        for i in (i for i in range(n) if not i & d):
            pair = f"{v.vector} {vectors[i]}, {v.vector} {vectors[i + d]}"
            turned[i] = f.let(f"shufflevector {pair}, <{n} x i32> <{low}>")
            turned[i + d] = f.let(f"shufflevector {pair}, <{n} x i32> <{high}>")
        vectors, d = turned, 2 * d
    return vectors
