"""Which documents answer a query best: words in common, rankings joined into one, how good a ranking is, an index."""

from recurra.ranking.bm25 import BM25
from recurra.ranking.fusion import fuse
from recurra.ranking.measures import Ranked, ranks

__all__ = ["BM25", "Ranked", "fuse", "ranks"]
