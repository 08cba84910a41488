"""Points of a benchmark beside its targets: geometric means of the groups, and the worst point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from recurra.bench.base import COSTS, Point, Target


@dataclass(frozen=True)
class Row:
    """value: the geometric mean of a group's points, of exponents their mean, or the worst of them (``each``). worst:
    that point.

    target: None where there is none. met: whether it is reached, None without a target.
    """

    group: str
    points: int
    value: float
    unit: str
    worst: Point
    each: bool = False
    target: float | None = None
    at_most: bool = False
    met: bool | None = None


def summary(points: Sequence[Point], targets: Sequence[Target]) -> list[Row]:
    """A row for each group, in the order of appearance, and one for each target that every point is to reach."""
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(point.group, []).append(point)
    means = {target.group: target for target in targets if not target.each}
    rows = [_row(group, found, means.get(group)) for group, found in groups.items()]
    for target in targets:
        found = [p for p in points if p.group.startswith(target.group)]
        if target.each and found:
            rows.append(_row(target.group, found, target))
    return rows


def _row(group: str, points: list[Point], target: Target | None) -> Row:
    unit = points[0].unit
    worst = (max if unit in COSTS else min)(points, key=lambda p: p.value.median)
    if target is None:
        return Row(group, len(points), _mean(points), unit, worst)
    value = worst.value.median if target.each else _mean(points)
    return Row(group, len(points), value, unit, worst, target.each, target.value, target.at_most, target.met(value))


def _mean(points: list[Point]) -> float:
    if points[0].unit == "exponent":
        return sum(p.value.median for p in points) / len(points)
    return math.exp(sum(math.log(p.value.median) for p in points) / len(points))
