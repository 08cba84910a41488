"""Translation: training steps beside the same network in torch.nn, and beam search of many sentences.

The units are drawn at random; lengths and vocabulary are about those of multi30k, the network is the recipes'.
"""

import time
from collections.abc import Callable
from functools import partial

import torch

from recurra.bench._compare import compare
from recurra.bench._seq2seq import Seq2Seq
from recurra.bench.base import Benchmark, Job, Options, Place, Point, Spread, Target
from recurra.heads.text import TextConfig as HeadConfig
from recurra.modalities.text import Text, TextConfig
from recurra.model import Model, ModelConfig
from recurra.sequences import Ragged
from recurra.trunk import TrunkConfig

VOCABULARY, WIDTH, READING, WRITING = 4000, 192, 192, 320
PAIRS, UNITS = 36, 14  # in a batch; in a sentence, about
STEPS = 10  # in a measurement
DROPOUT, SMOOTHING = 0.3, 0.1
SENTENCES, BATCH, BEAM = 1000, 64, 5


def network(hidden: int = WRITING, dropout: float = DROPOUT) -> Model:
    """The recipes' network, or one with so many hidden units in its decoder."""
    characters = "".join(chr(0x4E00 + i) for i in range(VOCABULARY - 2))
    text = Text.fit(TextConfig(unit="char"), [characters])
    trunk = TrunkConfig(hidden=READING, embedding=WIDTH, bidirectional=True, input_dropout=dropout, dropout=dropout)
    head = HeadConfig(
        hidden=hidden, input_dropout=dropout, dropout=dropout, label_smoothing=SMOOTHING, beam=BEAM, longest=1
    )
    return Model(ModelConfig("text", "text", text.settings, trunk, head), text, {})


def peer(model: Model) -> Seq2Seq:
    """The same network in torch.nn, with the same weights."""
    trunk, head = model.config.trunk, model.config.head
    net = Seq2Seq(VOCABULARY, trunk.embedding, READING, head.hidden, head.dropout, head.label_smoothing)
    net.take_weights(model)
    return net


def sentences(count: int, units: int) -> Ragged:
    """count: sentences. units: of each, up to a third more or fewer."""
    lengths = torch.randint(units - units // 3, units + units // 3 + 1, (count,))
    return Ragged.from_list([torch.randint(2, VOCABULARY, (int(n),)) for n in lengths])


def pairs(count: int, units: int) -> tuple[Ragged, Ragged]:
    """Sources, and targets that end with an end."""
    source, target = sentences(count, units), sentences(count, units)
    return source, target.with_values(target.values.index_fill(0, target.offsets[1:] - 1, 0))


def _training(loss: Callable[[], torch.Tensor], model: torch.nn.Module) -> Callable[[], float]:
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def run() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return time.perf_counter() - start

    return run


def plain(net: Seq2Seq, source: Ragged, target: Ragged) -> Callable[[], torch.Tensor]:
    """The summed loss of the torch.nn side."""
    wanted = target.to_padded()
    read = wanted.roll(1, dims=1).index_fill(1, torch.tensor([0]), 0)
    return partial(net, source.to_padded(), source.lengths, read, wanted, target.lengths)


def train(options: Options, batch: int, units: int, hidden: int) -> list[Point]:
    model, (source, target) = network(hidden), pairs(batch, units)
    net = peer(model)
    units_each = len(source.values) + len(target.values)
    theirs = plain(net, source, target)
    rounds = compare(
        _training(lambda: model(source, target)[0] / len(target.values), model),
        {"torch.nn": _training(lambda: theirs() / len(target.values), net)},
        options.rounds_or(3, 11),
    )
    speed = {side: f"{units_each * STEPS / min(seconds):,.0f}" for side, seconds in rounds.seconds.items()}
    place: Place = {"B": batch, "T": units, "H": hidden}
    place["tokens a second"] = f"{speed['torch.nn']} torch.nn, {speed['recurra']} recurra"
    return [Point("translation, training", place, rounds.ratio("torch.nn"), peer="torch.nn")]


def search(options: Options, count: int, units: int, hidden: int) -> list[Point]:
    """Beam search in which nothing ends before it is as long as its source."""
    model = network(hidden).eval()
    with torch.no_grad():
        model.head.output.bias[0] = -1e9
    batches = [sentences(min(BATCH, count - i), units) for i in range(0, count, BATCH)]
    seconds = []
    for _ in range(options.rounds_or(1, 3)):
        start = time.perf_counter()
        with model.evaluating():
            for batch in batches:
                features, last, _ = model.features(batch)
                model.head.decode(features, last)
        seconds.append(time.perf_counter() - start)
    place: Place = {"sentences": count, "T": units, "H": hidden, "beam": BEAM}
    return [Point("translation, beam search", place, Spread.of(seconds), unit="s")]


def jobs(options: Options) -> list[Job]:
    units, hidden = (options.steps or (UNITS,))[0], (options.hidden or (WRITING,))[0]
    batch = (options.batch or (PAIRS,))[0]
    count = options.batch[0] if options.batch else BATCH if options.quick else SENTENCES
    return [
        Job("translation, training", partial(train, options, batch, units, hidden)),
        Job("translation, beam search", partial(search, options, count, units, hidden)),
    ]


translation = Benchmark(
    "translation: training beside the same network in torch.nn, and beam search",
    jobs,
    (Target("translation, training", 1.5), Target("translation, beam search", 30.0, at_most=True)),
)
