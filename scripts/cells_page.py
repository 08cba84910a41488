"""Writes docs/cells.md: each cell's equations, typeset from its definition, its parameters, source and speed.

.venv/bin/python scripts/cells_page.py

How fast each is comes from benchmarks/cells.jsonl, which holds what COMMANDS printed.
"""

import ast
import inspect
import json
import re
import sys
import textwrap
from pathlib import Path

from recurra.cells import CELLS, Cell

ROOT = Path(__file__).parent.parent
PAGE, MEASURED = ROOT / "docs" / "cells.md", ROOT / "benchmarks" / "cells.jsonl"
COMMANDS = (
    "recurra bench cells --hidden 128 --threads 1 --rounds 3 --json > benchmarks/cells.jsonl",
    "recurra bench cells --hidden 128 --threads 1 --rounds 3 --compile --quick --steps 10 --json >> "
    "benchmarks/cells.jsonl",
)

HEAD = """# Cells

<!-- Written by scripts/cells_page.py from the cells' files and benchmarks/cells.jsonl. Change those, then run it. -->

Every cell is a file of a few equations, and all of them are compiled the same way. The equations below are typeset from
those files. *wx* stands for the projected input of a gate, its bias included; a prime marks what is new after the step.
Weights are counted for I input features and H hidden units, with the bias of the input projection.

How to add one: [Add a cell](how-to/add-a-cell.md).

## GRU or LSTM?

A common rule takes the GRU for small data and the LSTM for large. [Measured](RESULTS.md#gru-or-lstm) with as many
weights and the same settings, small sets show no difference beyond that between seeds. What long memories need is
[another matter](explanation/long-memory.md), and there how the gates begin counts for more than which cell it is.
"""

SPEED = """## How fast

A training step, forward and backward, of B 32, T 100 and H 128, on {machine}; by

```sh
{commands}
```

*step*: its milliseconds. *of plain*: how many times as long it takes as the plain cell of as many gates (rnn-tanh,
li-gru, gru, lstm), with equal lengths and with lengths from 1 to T. *over Python*: how many times as fast it is as its
own Python, step by step, and as that under `torch.compile` (10 steps). *over lstm*: how many times as fast as the LSTM
a cell without matrix products trains on one sequence of 4,096 steps. Empty: not measured.
"""
# Where a point of a group stands, of sequences of so many steps; and which columns say how much slower, not faster.
COLUMNS = {
    ("dense, a step", 100): "step",
    ("dense / plain", 100): "of plain",
    ("ragged / plain", 100): "of plain, ragged",
    ("dense / its Python, step by step", 100): "over Python",
    ("dense / its Python compiled", 10): "over torch.compile",
    ("long / lstm", 4096): "over lstm, 4,096 steps",
}
SLOWER = ("of plain", "of plain, ragged")

FUNCTIONS = {"sigmoid": "σ", "softplus": "softplus", "norm": "norm", "maximum": "max", "tanh": "tanh", "exp": "exp"}
GREEK = {"decay": "λ"}


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, _speeds(), *(_section(name, cell) for name, cell in CELLS.all().items())])


def _speeds() -> str:
    """What was measured, as a table: a row for each cell."""
    if not MEASURED.exists():
        return f"## How fast\n\nNot measured yet: `{COMMANDS[0]}`.\n"
    (first, *rest) = [json.loads(line) for line in MEASURED.read_text(encoding="utf-8").splitlines()]
    found: dict[tuple[str, str], str] = {}
    for point in (line for line in rest if "place" in line):
        for (group, steps), column in COLUMNS.items():
            if point["group"].endswith(group) and point["place"]["T"] == steps:
                value = 1 / point["median"] if column in SLOWER else point["median"]
                text = f"{1000 * value:.1f} ms" if point["unit"] == "s" else f"{value:.2f}"
                found.setdefault((point["place"]["cell"], column), text)  # of what both commands measured, the first
    table = [["cell", *COLUMNS.values()], ["---"] * (1 + len(COLUMNS))]
    table += [[name, *(found.get((name, column), "") for column in COLUMNS.values())] for name in CELLS.names()]
    rows = "\n".join(f"| {' | '.join(row)} |" for row in table)
    machine = "one thread of an {cpu}, torch {torch}".format(**first["machine"])
    commands = "\n".join(COMMANDS)
    return f"{SPEED.format(commands=commands, machine=machine)}\n{rows}\n"


def _section(name: str, cell: Cell) -> str:
    text = inspect.cleandoc(sys.modules[cell.__module__].__doc__ or "")
    title, rest = text.split("\n", 1)
    # What follows the equations: where they are from, what else is to be said, and when to choose the cell.
    *_, notes, choice = rest.split("\n\n")
    notes = re.sub(r"(https://[^\s,;)]+[^\s,;).])", r"<\1>", " ".join(notes.split()))
    lines = "\n".join(f"<mtr>{_cell('right', left)}{_cell('left', right)}</mtr>" for left, right in _equations(cell))
    return f"""## {name}

{title}

<math display="block"><mtable>
{lines}
</mtable></math>

{_weights(cell)} {notes}

{" ".join(choice.split())}
"""


def _cell(side: str, content: str) -> str:
    return f'<mtd style="text-align: {side}">{content}</mtd>'


def _weights(cell: Cell) -> str:
    terms = [f"{len(cell.gates)}H(I + 1)" if len(cell.gates) > 1 else "H(I + 1)"]
    for sizes in cell.param_sizes().values():
        factor = "".join(f" × {size}" for size in sizes[1:])
        terms.append(f"{sizes[0]}{factor}")
    return f"Weights: {' + '.join(terms)}."


def _equations(cell: Cell) -> list[tuple[str, str]]:
    """Both sides of each equation as MathML, in the order of the definition."""
    (function,) = ast.parse(textwrap.dedent(inspect.getsource(cell.equations))).body
    assert isinstance(function, ast.FunctionDef)
    writer, found = _Writer(), list[tuple[str, str]]()
    for statement in function.body:
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets
            values = [statement.value]
            targets = [target]
            if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                targets, values = list(target.elts), list(statement.value.elts)
            sides = [(t, writer.value(v)) for t, v in zip(targets, values, strict=True)]
            for t, value in sides:
                names = t.elts if isinstance(t, ast.Tuple) else [t]
                found.append(("<mo>,</mo>".join(writer.assigned(n, cell.states) for n in names), value))
        elif isinstance(statement, ast.Return):
            assert statement.value is not None
            new = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
            for state, value in zip(cell.states, new, strict=True):
                if not (isinstance(value, ast.Name) and value.id == state):
                    found.append((_name(state) + PRIME, writer.value(value)))
    return [(left, f"<mo>=</mo>{right}") for left, right in found]


PRIME = "<mo>′</mo>"


def _name(text: str) -> str:
    text, _, index = GREEK.get(text, text).partition("_")
    if text == "wx":
        text, index = "wx", index
    return f"<msub><mi>{text}</mi><mi>{index}</mi></msub>" if index else f"<mi>{text}</mi>"


class _Writer:
    """Expressions as MathML. A state that has been assigned is a new one from then on."""

    def __init__(self) -> None:
        self.new: dict[str, str] = {}

    def assigned(self, node: ast.expr, states: tuple[str, ...]) -> str:
        assert isinstance(node, ast.Name)
        mark = PRIME if node.id in states or node.id in self.new else ""
        self.new[node.id] = _name(node.id) + mark
        return self.new[node.id]

    def value(self, node: ast.expr, within: int = 0) -> str:
        """within: how tightly what is around binds; brackets are set where that is tighter."""
        match node:
            case ast.Name():
                return self.new.get(node.id, _name(node.id))
            case ast.Constant():
                return f"<mn>{node.value:g}</mn>"
            case ast.UnaryOp(op=ast.USub()):
                return f"<mo>−</mo>{self.value(node.operand, 2)}"
            case ast.BinOp(op=ast.Div()):
                return f"<mfrac><mrow>{self.value(node.left)}</mrow><mrow>{self.value(node.right)}</mrow></mfrac>"
            case ast.BinOp():
                sign, binds = {ast.Add: ("+", 1), ast.Sub: ("−", 1), ast.Mult: ("⊙", 2)}[type(node.op)]
                both = self.value(node.left, binds) + f"<mo>{sign}</mo>" + self.value(node.right, binds + (sign == "−"))
                return f"<mrow><mo>(</mo>{both}<mo>)</mo></mrow>" if within > binds else both
            case ast.Call(func=ast.Name(id=name), args=args):
                return self._call(name, args, within)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr=name), args=args):
                return self._call(name, args, within)
            case ast.Call(func=ast.Attribute(value=of, attr=name), keywords=keywords):
                return self._method(name, of, keywords, within)
        raise ValueError(ast.dump(node))

    def _call(self, name: str, args: list[ast.expr], within: int) -> str:
        if name == "linear":
            product = self.value(args[1], 3) + self.value(args[0], 3)
            if len(args) == 2:
                return product
            both = f"{product}<mo>+</mo>{self.value(args[2], 1)}"
            return f"<mrow><mo>(</mo>{both}<mo>)</mo></mrow>" if within > 1 else both
        if name == "lost":
            inside = self.value(args[0], 2)
            return f"<mn>1</mn><mo>−</mo><mi>exp</mi><mo>(</mo><mo>−</mo>{inside}<mo>)</mo>"
        if name == "cat":
            assert isinstance(args[0], ast.List)
            return f"<mo>[</mo>{'<mo>,</mo>'.join(self.value(a) for a in args[0].elts)}<mo>]</mo>"
        inside = "<mo>,</mo>".join(self.value(a) for a in args)
        return f"<mi>{FUNCTIONS[name]}</mi><mo>(</mo>{inside}<mo>)</mo>"

    def _method(self, name: str, of: ast.expr, keywords: list[ast.keyword], within: int) -> str:
        inside = self.value(of)
        if name == "chunk":
            return self.value(of, within)
        if name == "sqrt":
            return f"<msqrt><mrow>{inside}</mrow></msqrt>"
        if name == "relu":
            return f"<mi>max</mi><mo>(</mo><mn>0</mn><mo>,</mo>{inside}<mo>)</mo>"
        if name == "clamp":
            (low,) = keywords
            return f"<mi>max</mi><mo>(</mo>{inside}<mo>,</mo>{self.value(low.value)}<mo>)</mo>"
        return f"<mi>{FUNCTIONS[name]}</mi><mo>(</mo>{inside}<mo>)</mo>"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
