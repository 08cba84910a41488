"""Benchmarks: Recurra beside its peers, in one process. A file put here is found because it exists."""

from recurra.bench._summary import Row, summary
from recurra.bench.base import Benchmark, Job, Options, Place, Point, Spread, Target
from recurra.registry import Registry

BENCHMARKS = Registry("recurra.bench", Benchmark, "benchmark")

__all__ = ["BENCHMARKS", "Benchmark", "Job", "Options", "Place", "Point", "Row", "Spread", "Target", "summary"]
