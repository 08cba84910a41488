"""What a benchmark is: jobs that measure points, and targets that the points are held against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from recurra.errors import InputError

# Where on its grid a point lies: B, T, H and what else tells it from others.
Place = dict[str, int | str]
Unit = Literal["x", "of mm", "s", "MiB", "exponent"]
# Of what is better where it is less.
COSTS: tuple[Unit, ...] = ("s", "MiB", "exponent")


@dataclass(frozen=True)
class Options:
    """What is measured. quick: few points, few rounds. rounds: at each point; 0: the benchmark's own number.

    cells, modes, batch, steps, hidden: the points wanted of those that a benchmark has; empty: its own.
    jax: JAX is a peer too. compile: so is a cell's Python under torch.compile.
    """

    quick: bool = False
    rounds: int = 0
    cells: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    batch: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    jax: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        if self.rounds < 0:
            raise InputError(f"rounds: expected at least 1, or 0 for the benchmark's own number, got {self.rounds}")
        for name in ("batch", "steps", "hidden"):
            if bad := [n for n in getattr(self, name) if n < 1]:
                raise InputError(f"{name}: expected positive numbers, got {bad[0]}")

    @property
    def least_seconds(self) -> float:
        """Work that is quicker is repeated until it takes as long, for the clock."""
        return 0.01 if self.quick else 0.03

    def rounds_or(self, quick: int, full: int) -> int:
        return self.rounds or (quick if self.quick else full)


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, the least and the greatest."""

    median: float
    low: float
    high: float
    rounds: int

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        from statistics import median  # costs the command line's start some milliseconds

        return Spread(median(values), min(values), max(values), len(values))

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Point:
    """One thing measured. group: what it is averaged with. peer: what it is against.

    unit: ``x``, the peer's cost over ours, above 1 we are better; ``of mm``, a share; ``s``, ``MiB`` and ``exponent``,
    what we need and how that grows.
    """

    group: str
    place: Place
    value: Spread
    unit: Unit = "x"
    peer: str = ""


@dataclass(frozen=True)
class Job:
    """One step of a benchmark. label: for people who wait for it. measure: its points."""

    label: str
    measure: Callable[[], list[Point]]


@dataclass(frozen=True)
class Target:
    """What a group is to reach in the geometric mean, or at every point: then of all groups whose names begin so."""

    group: str
    value: float
    each: bool = False
    at_most: bool = False

    def met(self, value: float) -> bool:
        return value <= self.value if self.at_most else value >= self.value


@dataclass(frozen=True)
class Benchmark:
    """summary: one line. jobs: what is measured, in order, for some options; making them measures nothing yet."""

    summary: str
    jobs: Callable[[Options], list[Job]]
    targets: tuple[Target, ...] = ()
