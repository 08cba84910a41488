"""From a graph to the graph of its gradient: one rule for each operation, none for a cell.

What was one number a row gathers its gradient from every unit. What such a sum holds of other numbers of the row is
taken out of it, s * sum(x) for sum(s * x), so that it need not wait for them: sums over a row are then of values of the
units alone, and fewer loops over the units follow one another.
"""

from collections.abc import Callable, Iterator

from recurra.compile.graph import Graph, Node, Product, reachable

# The sizes of a declared matrix's columns: letter and blocks.
Columns = dict[str, tuple[str, int]]


def gradients(g: Graph, seeds: list[tuple[Node, Node]], columns: Columns) -> dict[Node, Node]:
    """The gradient of every node, given pairs of a node and the gradient that reaches it from outside.

    Nodes that nothing reaches are left out. The gradient of an ``out`` of a product is that of what came out.
    """
    parts: dict[Node, list[Node]] = {}
    found: dict[Node, Node] = {}
    for node, seed in seeds:
        parts.setdefault(node, []).append(seed)
    for node in reversed(reachable(n for n, _ in seeds)):
        if node.op == "linear":
            outs = [found.get(g.node("out", (node,), node.letter, i)) for i in range(_product(node).blocks)]
            if any(o is not None for o in outs):
                _through(g, node, outs, columns, parts)
        elif node in parts and node.op not in ("const", "size"):
            found[node] = g.sum(parts[node]) if node.letter != "1" else _gathered(g, parts[node])
            for argument, grad in zip(node.args, _rule(g, node, found[node]), strict=True):
                if grad is not None:
                    parts.setdefault(argument, []).append(grad)
    return found


def _product(node: Node) -> Product:
    assert isinstance(node.data, Product)
    return node.data


def _through(g: Graph, node: Node, outs: list[Node | None], columns: Columns, parts: dict[Node, list[Node]]) -> None:
    """Back through a matrix product: another one, with the transpose."""
    product = _product(node)
    zero = g.const(0.0)
    letter, blocks = columns[product.matrix]
    inputs = [zero if o is None else o for o in outs]
    for argument, grad in zip(node.args, g.linear(Product(product.matrix, True, letter, blocks), inputs), strict=True):
        parts.setdefault(argument, []).append(grad)


def _gathered(g: Graph, grads: list[Node]) -> Node:
    """One number a row: the sum of gradients, over the units of those that stand for units."""
    found = [grad for grad in grads if grad.letter == "1"]
    wide: dict[tuple[Node, str], list[tuple[bool, Node]]] = {}
    for negative, factor, x in (term for grad in grads if grad.letter != "1" for term in _terms(g, grad)):
        wide.setdefault((factor, x.letter), []).append((negative, x))
    for (factor, letter), terms in wide.items():
        if _cancel(g, letter, [x for _, x in terms]) and len({negative for negative, _ in terms}) == 1:
            continue
        (turned, total), *rest = terms
        for negative, x in rest:
            total = g.apply("add" if negative == turned else "sub", total, x)
        number = g.apply("mul", factor, g.node("rowsum", (total,)))
        found.append(g.apply("neg", number) if turned else number)
    return g.sum(found) if found else g.const(0.0)


def _cancel(g: Graph, letter: str, nodes: list[Node]) -> bool:
    """Whether these are all that one mean over a row was taken of, less that mean: their sum is zero."""
    if any(n.op != "sub" for n in nodes):
        return False
    whole = [n.args[0] for n in sorted(nodes, key=lambda n: n.index)]
    count = g.sum(g.node("size", data=letter) for _ in whole)
    mean = g.apply("div", g.node("rowsum", (g.sum(whole),)), count)
    return all(n.args[1] is mean for n in nodes)


def _terms(g: Graph, x: Node) -> Iterator[tuple[bool, Node, Node]]:
    """A value of the units as terms: whether each is taken off, a number of the row, and what that is times."""
    stack = [(False, g.const(1.0), x)]
    while stack:
        negative, factor, x = stack.pop()
        first, second = (*x.args, x, x)[:2]
        if x.op == "neg":
            stack.append((not negative, factor, first))
        elif x.op in ("add", "sub") and "1" not in (first.letter, second.letter):
            stack += [(negative ^ (x.op == "sub"), factor, second), (negative, factor, first)]
        elif x.op == "mul" and first.letter == "1":
            stack.append((negative, g.apply("mul", factor, first), second))
        elif x.op in ("mul", "div") and second.letter == "1":
            stack.append((negative, g.apply(x.op, factor, second), first))
        else:
            yield negative, factor, x


def _rule(g: Graph, node: Node, d: Node) -> list[Node | None]:
    if not node.args or node.op == "out":
        return [None] * len(node.args)
    return RULES[node.op](g, node, d)


def _add(g: Graph, y: Node, d: Node) -> list[Node | None]:
    return [d, d]


def _sub(g: Graph, y: Node, d: Node) -> list[Node | None]:
    return [d, g.apply("neg", d)]


def _mul(g: Graph, y: Node, d: Node) -> list[Node | None]:
    a, b = y.args
    if a is b:
        return [g.apply("mul", g.apply("mul", g.const(2.0), d), a), None]
    return [g.apply("mul", d, b), g.apply("mul", d, a)]


def _div(g: Graph, y: Node, d: Node) -> list[Node | None]:
    over = g.apply("div", d, y.args[1])
    return [over, g.apply("neg", g.apply("mul", over, y))]


def _sigmoid(g: Graph, y: Node, d: Node) -> list[Node | None]:
    return [g.apply("mul", d, g.apply("mul", y, g.apply("sub", g.const(1.0), y)))]


def _tanh(g: Graph, y: Node, d: Node) -> list[Node | None]:
    return [g.apply("mul", d, g.apply("sub", g.const(1.0), g.apply("mul", y, y)))]


def _relu(g: Graph, y: Node, d: Node) -> list[Node | None]:
    zero = g.const(0.0)
    return [g.apply("where_le", y, zero, zero, d)]


def _clamp(g: Graph, y: Node, d: Node) -> list[Node | None]:
    assert isinstance(y.data, tuple)
    (x,), (low, high), zero = y.args, y.data, g.const(0.0)
    below = g.apply("where_le", x, g.const(high), d, zero)
    return [g.apply("where_le", g.const(low), x, below, zero)]


def _maximum(g: Graph, y: Node, d: Node) -> list[Node | None]:
    a, b = y.args
    return [_above(g, a, b, d), _above(g, b, a, d)]


def _minimum(g: Graph, y: Node, d: Node) -> list[Node | None]:
    a, b = y.args
    return [_above(g, b, a, d), _above(g, a, b, d)]


def _above(g: Graph, a: Node, b: Node, d: Node) -> Node:
    """d where a > b, half of it where they are equal, as in torch; nothing elsewhere."""
    zero, half = g.const(0.0), g.apply("mul", d, g.const(0.5))
    return g.apply("where_le", a, b, g.apply("where_le", b, a, half, zero), d)


def _where(g: Graph, y: Node, d: Node) -> list[Node | None]:
    a, b, _, _ = y.args
    zero = g.const(0.0)
    return [None, None, g.apply(y.op, a, b, d, zero), g.apply(y.op, a, b, zero, d)]


def _clip_gradient(g: Graph, y: Node, d: Node) -> list[Node | None]:
    assert isinstance(y.data, float)
    return [g.apply("clamp", d, data=(-y.data, y.data))]


RULES: dict[str, Callable[[Graph, Node, Node], list[Node | None]]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": lambda g, y, d: [g.apply("neg", d)],
    "abs": lambda g, y, d: [g.apply("mul", d, g.apply("sign", y.args[0]))],
    "sign": lambda g, y, d: [None],
    "exp": lambda g, y, d: [g.apply("mul", d, y)],
    "log": lambda g, y, d: [g.apply("div", d, y.args[0])],
    "log1p": lambda g, y, d: [g.apply("div", d, g.apply("add", g.const(1.0), y.args[0]))],
    "sqrt": lambda g, y, d: [g.apply("div", d, g.apply("mul", g.const(2.0), y))],
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _relu,
    "clamp": _clamp,
    "maximum": _maximum,
    "minimum": _minimum,
    "where_le": _where,
    "where_lt": _where,
    "clip_gradient": _clip_gradient,
    "rowsum": lambda g, y, d: [d],
}
