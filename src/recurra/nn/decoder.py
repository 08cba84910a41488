"""The writing half of an encoder-decoder: recurrent layers that attend to what was read."""

from functools import partial

import torch
from torch import Tensor, nn

from recurra.cells import Cell
from recurra.nn.attention import Attention, Memory, Score
from recurra.nn.checks import check_like, check_sizes
from recurra.nn.dropout import Dropout
from recurra.nn.recurrent import Recurrent
from recurra.sequences import Ragged, State
from recurra.sequences.layout import Layout

# The name under which a decoder with input feeding keeps its last output.
FED = "fed"

Memories = tuple[Memory, ...]


class Attending(nn.Module):
    """A recurrent layer that attends with each of its outputs h, and hands on tanh(W [h; context] + b).

    cell: over time. input_size: I. hidden_size: H. memory_size: F of a memory's step. output_size: of what it hands
    on, the attentional vector of Luong et al. 2015 (https://arxiv.org/abs/1508.04025). score: of the attention.
    """

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, memory_size: int, output_size: int, score: Score):
        super().__init__()
        self.recurrent = Recurrent(cell, input_size, hidden_size)
        self.attention = Attention(self.recurrent.output_size, memory_size, score)
        self.join = nn.Linear(self.recurrent.output_size + memory_size, output_size)
        nn.init.xavier_uniform_(self.join.weight)
        nn.init.zeros_(self.join.bias)

    def forward(self, x: Ragged, memory: Memory, state: State, readers: Layout | None) -> tuple[Ragged, State]:
        h, state = self.recurrent(x, state)
        context = self.attention(h if readers is None else Ragged.of_layout(h.values, readers), memory)
        return x.with_values(self.join(torch.cat([h.values, context.values], dim=-1)).tanh()), state


class Decoder(nn.Module):
    """Attending layers, one above the other, that begin in a state made of what the encoder ended with.

    cell: of every layer. input_size: I. hidden_size: H of every layer. memory_size: F, features of the encoder's
    steps and of its last output. output_size: of the last layer's output. score: of every layer's attention.
    dropout: share of what a layer hands on that is zeroed in training.

    Without ``feed`` a layer runs over all its steps at once and then attends for all of them at once; what it attended
    to is known to the layers above. With ``feed``, the input feeding of Luong et al. 2015, the first layer's input is
    joined by the last one's output of the step before, so that there is one step after the other.

    >>> from recurra.cells.gru import gru
    >>> decoder = Decoder(gru, 3, 5, memory_size=4, output_size=2, layers=2)
    >>> memories = decoder.read(Ragged.from_list([torch.randn(7, 4), torch.randn(2, 4)]))
    >>> x = Ragged.from_list([torch.randn(3, 3), torch.randn(6, 3)])
    >>> decoder(x, memories, decoder.start(torch.zeros(2, 4)))
    (Ragged(B=2, N=9, features=[2], dtype=torch.float32), State(0.h: [2, 5], 1.h: [2, 5]))
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        memory_size: int,
        output_size: int,
        *,
        layers: int = 1,
        score: Score = "multiplicative",
        feed: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_sizes(layers=layers)
        self.feed, self.output_size = feed, output_size
        reads = [input_size + output_size * feed, *[hidden_size] * (layers - 1)]
        hands = [*[hidden_size] * (layers - 1), output_size]
        self.layers = nn.ModuleList(
            Attending(cell, i, hidden_size, memory_size, o, score) for i, o in zip(reads, hands, strict=True)
        )
        self.dropout = Dropout(dropout)
        sizes = {f"{i}.{name}": size for i, layer in self._each() for name, size in layer.recurrent.state_sizes.items()}
        self.state_sizes = sizes
        self.bridge = nn.Linear(memory_size, sum(sizes.values()))
        nn.init.xavier_uniform_(self.bridge.weight)
        nn.init.zeros_(self.bridge.bias)

    def start(self, last: Tensor) -> State:
        """last: [B, F], what the encoder ended with. Returns the state to begin in. Raises ShapeError."""
        check_like("last", last, ("B", self.bridge.in_features), self.bridge.weight)
        parts = self.bridge(last).tanh().split(list(self.state_sizes.values()), dim=-1)
        state = dict(zip(self.state_sizes, parts, strict=True))
        return State(state | {f"{FED}.x": last.new_zeros(len(last), self.output_size)} if self.feed else state)

    def read(self, memory: Ragged) -> Memories:
        """memory: values [M, F], the encoder's steps. Returns what the layers attend to."""
        return tuple(layer.attention.read(memory) for _, layer in self._each())

    def forward(
        self, x: Ragged, memories: Memories, state: State, readers: Layout | None = None
    ) -> tuple[Ragged, State]:
        """x: values [N, I]. memories, state: from ``read`` and ``start``, or the state of the step before.

        readers: where several sequences of x, of one step each, read the same sequence of the memory: how many, as a
        layout. Returns the output, values [N, output_size], and the state after each sequence's last step.
        """
        if not self.feed:
            y, state = self._layered(x, memories, state, readers)
        elif x.equal_length == 1:
            y, state = self._one(x, memories, state, readers)
        else:
            y, state = self._stepped(x, memories, state)
        return self.dropout(y), state

    def weights(self, x: Ragged, memories: Memories, state: State) -> list[Tensor]:
        """As ``forward``. Returns [T, M] of each sequence: each step's shares of the memory, the mean of the layers."""
        ones = (slice(b, b + 1) for b in range(len(x)))
        return [self._weights(x[one], tuple(memory[one] for memory in memories), _rows(state, one)) for one in ones]

    def _weights(self, x: Ragged, memories: Memories, state: State) -> Tensor:
        """[T, M] of a single sequence."""
        seen: list[list[Tensor]] = [[] for _ in self.layers]

        def note(layer: int, attention: Attention, args: tuple[Ragged, Memory]) -> None:
            seen[layer] += attention.weights(*args)

        hooks = [layer.attention.register_forward_pre_hook(partial(note, i)) for i, layer in self._each()]
        try:
            self(x, memories, state)
        finally:
            for hook in hooks:
                hook.remove()
        return torch.stack([torch.cat(steps) for steps in seen]).mean(0)

    def _layered(self, x: Ragged, memories: Memories, state: State, readers: Layout | None) -> tuple[Ragged, State]:
        finals: dict[str, State] = {}
        for i, layer in self._each():
            x, finals[str(i)] = layer(x if i == 0 else self.dropout(x), memories[i], state.part(str(i)), readers)
        return x, State.group(finals)

    def _one(self, x: Ragged, memories: Memories, state: State, readers: Layout | None) -> tuple[Ragged, State]:
        """One step of each sequence, with input feeding."""
        fed = x.with_values(torch.cat([x.values, state[f"{FED}.x"]], dim=-1))
        y, state = self._layered(fed, memories, state, readers)
        return y, State({name: state[name] for name in state} | {f"{FED}.x": y.values})

    def _stepped(self, x: Ragged, memories: Memories, state: State) -> tuple[Ragged, State]:
        """All steps with input feeding: the longest sequence first, so that those that go on are the first rows."""
        layout = x.layout
        steps = torch.split(layout.pack(x.values, backward=False), layout.batch_sizes.tolist())
        memories, state = tuple(memory[layout.order] for memory in memories), state.select(layout.order)
        outputs, ended = list[Tensor](), list[State]()
        for step in steps:
            rows = len(step)
            if rows < len(state):
                memories = tuple(memory[:rows] for memory in memories)
                ended.append(_rows(state, slice(rows, None)))
                state = _rows(state, slice(rows))
            y, state = self._one(Ragged.of_layout(step, Layout.of_equal(rows, 1, step.device)), memories, state, None)
            outputs.append(y.values)
        finals = [state, *reversed(ended)]
        last = State({name: torch.cat([final[name] for final in finals]) for name in state})
        packed = torch.cat([x.values.new_empty(0, self.output_size), *outputs])
        return x.with_values(layout.unpack(packed, backward=False)), last.select(layout.rank)

    def _each(self) -> list[tuple[int, Attending]]:
        return list(enumerate(self.layers))  # type: ignore[arg-type]


def _rows(state: State, rows: slice) -> State:
    return State({name: state[name][rows] for name in state})
