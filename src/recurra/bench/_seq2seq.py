"""An encoder-decoder as one writes it with torch.nn: packed sequences, padded attention."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra.heads.text import Text
from recurra.model import Model
from recurra.nn import Bidirectional, Recurrent
from recurra.nn.decoder import Attending


class Seq2Seq(nn.Module):
    """A bidirectional LSTM reads, an LSTM with multiplicative attention writes, one table of vectors serves all."""

    def __init__(self, vocabulary: int, width: int, reading: int, writing: int, drop: float, smoothing: float):
        super().__init__()
        self.drop, self.smoothing = drop, smoothing
        self.embedding = nn.Embedding(vocabulary, width)
        self.encoder = nn.LSTM(width, reading, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * reading, 2 * writing)
        self.decoder = nn.LSTM(width, writing, batch_first=True)
        self.key = nn.Linear(2 * reading, writing, bias=False)
        self.join = nn.Linear(writing + 2 * reading, width)
        self.output = nn.Linear(width, vocabulary)
        self.output.weight = self.embedding.weight

    def forward(self, source: Tensor, lengths: Tensor, read: Tensor, wanted: Tensor, written: Tensor) -> Tensor:
        """source: [B, M]. read, wanted: [B, T], what the decoder reads and what it is to write; padded.

        lengths, written: [B] on the CPU. Returns the summed loss in nats.
        """
        p, training = self.drop, self.training
        packed = pack_padded_sequence(
            dropout(self.embedding(source), p, training), lengths, batch_first=True, enforce_sorted=False
        )
        memory, (last, _) = self.encoder(packed)
        memory, _ = pad_packed_sequence(memory, batch_first=True)
        memory = dropout(memory, p, training)
        start = self.bridge(dropout(torch.cat([last[0], last[1]], dim=-1), p, training)).tanh()
        h, c = start.chunk(2, dim=-1)
        packed = pack_padded_sequence(
            dropout(self.embedding(read), p, training), written, batch_first=True, enforce_sorted=False
        )
        y, _ = self.decoder(packed, (h[None].contiguous(), c[None].contiguous()))
        y, _ = pad_packed_sequence(y, batch_first=True)
        scores = y @ self.key(memory).mT
        padding = torch.arange(memory.shape[1]) >= lengths[:, None]
        context = scores.masked_fill(padding[:, None], -torch.inf).softmax(-1) @ memory
        joined = dropout(self.join(torch.cat([y, context], dim=-1)).tanh(), p, training)
        real = torch.arange(wanted.shape[1]) < written[:, None]
        logits = self.output(joined[real])
        return cross_entropy(logits, wanted[real], reduction="sum", label_smoothing=self.smoothing)

    @torch.no_grad()
    def take_weights(self, model: Model) -> None:
        """The weights of ours, so that both give one loss."""
        head, layer = model.head, model.trunk.layers[0]
        assert isinstance(head, Text) and isinstance(layer, Bidirectional)
        ahead, back = layer.forwards, layer.backwards
        assert isinstance(ahead, Recurrent) and isinstance(back, Recurrent)
        writer = head.decoder.layers[0]
        assert isinstance(writer, Attending)
        _take(self.encoder, ahead, "l0")
        _take(self.encoder, back, "l0_reverse")
        _take(self.decoder, writer.recurrent, "l0")
        self.embedding.load_state_dict(model.encoder.state_dict())
        self.bridge.load_state_dict(head.decoder.bridge.state_dict())
        self.key.load_state_dict(writer.attention.key.state_dict())
        self.join.load_state_dict(writer.join.state_dict())
        self.output.bias.copy_(head.output.bias)


def _take(lstm: nn.LSTM, layer: Recurrent, suffix: str) -> None:
    weights = {"weight_ih": layer.weight_ih, "bias_ih": layer.bias_ih, "weight_hh": layer.params["U"]}
    for name, weight in weights.items():
        getattr(lstm, f"{name}_{suffix}").copy_(weight)
    getattr(lstm, f"bias_hh_{suffix}").zero_()
