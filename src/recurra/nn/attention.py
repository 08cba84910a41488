"""Attention: every query's weighted mean over the memory of its own sequence."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from recurra.errors import InputError, ShapeError, UnknownNameError
from recurra.nn.checks import check_like, check_sizes
from recurra.sequences import Ragged
from recurra.sequences.layout import inverse

Score = Literal["multiplicative", "additive"]

# Sequences are attended to side by side, padded to the longest, as long as padding at most doubles their pairs of a
# query and a step: the pairs of sentences in one batch cost less than many small products would.
MOST_PADDING = 2.0
# Fewer pairs than this are never worth a product of their own.
LEAST_PAIRS = 4096


@dataclass(frozen=True)
class Memory:
    """What is attended to, with its keys. values: [M, F]. keys: [M, U], of the same sequences."""

    values: Ragged
    keys: Ragged

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Tensor | slice) -> "Memory":
        """Some of the sequences, in any order."""
        values = self.values[rows]
        return Memory(values, Ragged.of_layout(self.keys[rows].values, values.layout))


class Attention(nn.Module):
    """Scores every step of a query's own sequence, and returns the mean of the steps weighted with their softmax.

    query_size: features Q of a query. memory_size: features F of a step. units: U of the additive score; 0: Q.
    score: how well query q fits step m. ``multiplicative`` is q W m (Luong et al. 2015,
    https://arxiv.org/abs/1508.04025, their general score), a matrix product; ``additive`` is v tanh(W q + U m + b)
    (Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473), which holds U numbers for each pair of query and step.

    >>> attention = Attention(3, 5)
    >>> queries = Ragged.from_list([torch.randn(2, 3), torch.randn(4, 3)])
    >>> memory = Ragged.from_list([torch.randn(7, 5), torch.randn(1, 5)])
    >>> attention(queries, attention.read(memory))
    Ragged(B=2, N=6, features=[5], dtype=torch.float32)
    """

    def __init__(self, query_size: int, memory_size: int, score: Score = "multiplicative", units: int = 0):
        super().__init__()
        if score not in get_args(Score):
            raise UnknownNameError("score", score, get_args(Score))
        if units and score == "multiplicative":
            raise InputError(f"units: expected 0, as a multiplicative score has as many as a query, got {units}")
        units = units or query_size
        check_sizes(query_size=query_size, memory_size=memory_size, units=units)
        self.query_size, self.memory_size, self.score = query_size, memory_size, score
        self.key = nn.Linear(memory_size, units, bias=False)
        self.query = nn.Linear(query_size, units) if score == "additive" else None
        self.weigh = nn.Linear(units, 1, bias=False) if score == "additive" else None
        for layer in (self.key, self.query, self.weigh):
            if layer is not None:
                nn.init.xavier_uniform_(layer.weight)

    def read(self, memory: Ragged) -> Memory:
        """memory: values [M, F]. Computes the keys, once for any number of queries. Raises ShapeError."""
        check_like("memory", memory.values, ("M", self.memory_size), self.key.weight)
        return Memory(memory, memory.with_values(self.key(memory.values)))

    def forward(self, queries: Ragged, memory: Memory) -> Ragged:
        """queries: values [N, Q], of as many sequences as ``memory``. Returns the weighted means, values [N, F].

        A query of a sequence without steps gets zeros. Raises ShapeError.
        """
        self._check(queries, memory)
        groups = _groups(queries.lengths, memory.values.lengths)
        if len(groups) == 1:
            return queries.with_values(self._means(queries, memory))
        parts = [queries[rows].with_values(self._means(queries[rows], memory[rows])) for rows in groups]
        return queries.with_values(Ragged.cat(parts)[inverse(torch.cat(groups))].values)

    def weights(self, queries: Ragged, memory: Memory) -> list[Tensor]:
        """queries, memory: as for ``forward``. Returns [T, M] of each sequence: every step's share in each query."""
        self._check(queries, memory)
        alone = (slice(b, b + 1) for b in range(len(memory)))
        return [self._shares(queries[one], memory[one])[0] for one in alone]

    def _check(self, queries: Ragged, memory: Memory) -> None:
        check_like("queries", queries.values, ("N", self.query_size), self.key.weight)
        if len(queries) != len(memory):
            raise ShapeError("queries", f"{len(memory)} sequences, as memory has", len(queries))

    def _means(self, queries: Ragged, memory: Memory) -> Tensor:
        """[N, F], side by side with padding."""
        means = self._shares(queries, memory) @ memory.values.to_padded()
        return Ragged.from_padded(means, queries.lengths).values

    def _shares(self, queries: Ragged, memory: Memory) -> Tensor:
        """[B, T, M]; padding has no share, but where a sequence has no steps at all."""
        keys = memory.keys.to_padded()
        if self.query is None or self.weigh is None:
            scores = queries.to_padded() @ keys.mT
        else:
            asked = queries.with_values(self.query(queries.values)).to_padded()
            scores = self.weigh((asked[:, :, None] + keys[:, None]).tanh()).squeeze(-1)
        lengths = memory.values.lengths
        if memory.values.equal_length is None:
            padding = torch.arange(keys.shape[1], device=lengths.device) >= lengths[:, None]
            scores = scores.masked_fill(padding[:, None], torch.finfo(scores.dtype).min)
        return scores.softmax(-1)

    def extra_repr(self) -> str:
        return f"{self.query_size}, {self.memory_size}, score={self.score}"


def _groups(queries: Tensor, steps: Tensor) -> list[Tensor]:
    """Which sequences are attended to side by side; all of them are in one group. queries, steps: [B], of each."""
    pairs = queries * steps
    order = pairs.argsort()
    rows, waiting = list[Tensor](), [order]
    while waiting:
        some = waiting.pop()
        padded = len(some) * int(queries[some].max()) * int(steps[some].max()) if len(some) else 0
        if len(some) < 2 or padded <= max(LEAST_PAIRS, MOST_PADDING * int(pairs[some].sum())):
            rows.append(some)
        else:
            waiting += some.tensor_split(2)
    return rows
