"""The vector of a word: its own, that of its characters, and that of its capitals, side by side."""

import torch
from torch import Tensor, nn

from recurra.cells import CELLS
from recurra.modalities._spelling import CLASSES, LONGEST
from recurra.modalities._units import UNKNOWN
from recurra.nn import Bidirectional, Recurrent
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout


class WordEncoder(nn.Module):
    """Vectors of words.

    table: the words' own. characters, capitals: widths of the other parts, 0: none. alphabet: size of that of the
    characters. rare: the first id of words that occur once in training, which is read as unknown with probability
    rare_dropout in training (Lample et al. 2016, https://arxiv.org/abs/1603.01360). width: of the result; where it is
    not the sum of the parts, a linear map comes last.
    """

    def __init__(
        self,
        table: nn.Embedding,
        width: int,
        characters: int,
        alphabet: int,
        capitals: int,
        rare: int,
        rare_dropout: float,
    ):
        super().__init__()
        self.table, self.rare, self.rare_dropout = table, rare, rare_dropout
        self.characters = Characters(alphabet, characters) if characters else None
        self.capitals = nn.Embedding(CLASSES, capitals) if capitals else None
        parts = table.embedding_dim + characters + capitals
        self.project = nn.Linear(parts, width) if parts != width else None

    def forward(self, values: Tensor) -> Tensor:
        """values: ids [N], or with characters or capitals [N, 2 + LONGEST]: id, class of letters, characters.

        Returns [N, width].
        """
        ids = values if values.ndim == 1 else values[:, 0]
        if self.training and self.rare_dropout:
            forgotten = (ids >= self.rare) & (torch.rand(ids.shape, device=ids.device) < self.rare_dropout)
            ids = ids.masked_fill(forgotten, UNKNOWN)
        parts = [self.table(ids)]
        if self.characters is not None:
            parts.append(self.characters(values[:, 2:]))
        if self.capitals is not None:
            parts.append(self.capitals(values[:, 1]))
        joined = torch.cat(parts, 1)
        return joined if self.project is None else self.project(joined)


class Characters(nn.Module):
    """Vectors of words from their characters: the last outputs of an LSTM in each direction, as in Lample et al. 2016.

    Each distinct word of a batch is read once.
    """

    def __init__(self, alphabet: int, width: int):
        super().__init__()
        lstm, ahead = CELLS.get("lstm"), width - width // 2
        self.table = nn.Embedding(alphabet, ahead)
        self.layer = Bidirectional(Recurrent(lstm, ahead, ahead), Recurrent(lstm, ahead, width // 2, reverse=True))
        # Words are told apart by a sum over their characters modulo 2^64, with weights drawn once.
        draw = torch.Generator().manual_seed(0)
        weights = torch.randint(-(2**63), 2**63 - 1, (LONGEST,), generator=draw)
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, characters: Tensor) -> Tensor:
        """characters: [N, LONGEST], 0 after each word's end. Returns [N, width]."""
        keys = (characters * self.get_buffer("weights")).sum(1)
        distinct, place = torch.unique(keys, return_inverse=True)
        one = place.new_empty(len(distinct)).scatter_(0, place, torch.arange(len(place), device=place.device))
        words = characters[one]
        there = words > 0
        _, state = self.layer(Ragged.of_layout(self.table(words[there]), Layout.of_lengths(there.sum(1))))
        return self.layer.last(state).index_select(0, place)
