"""A tag for every step of a sequence."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.config import setting
from recurra.errors import DataError
from recurra.heads._schemes import (
    CANONICAL,
    OUTSIDE,
    SCHEMES,
    Span,
    TagRow,
    follows,
    is_span_tag,
    recognise,
    spans_of,
    spelled,
    tags_of,
)
from recurra.heads._telling import best_and_worst
from recurra.heads.base import Contributions, Head, Meter, Objective
from recurra.modalities import Modality
from recurra.nn import CRF
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

# Targets of steps whose tag is in no training row: where a span of an unknown kind begins, or a plain tag; and inside.
UNKNOWN, UNKNOWN_INSIDE = -1, -2
# An explanation names so many other tags of each step.
MOST_OTHERS = 3
# By how much the bias of O may be lowered to find more, or raised to find less.
LEADS = [step / 4 for step in range(-4, 9)]


@dataclass(frozen=True)
class TagsConfig:
    """Settings of the head ``tags``."""

    scheme: Literal["auto", "plain", "spans", "iob1", "iob2", "bioes", "bilou", "bmewo", "mixed"] = setting(
        "auto",
        "plain: tags that stand for themselves; spans: any of the schemes, recognised, or its name; mixed: spans as "
        "conlleval reads them, legal or not; auto: spans where all tags look like it",
    )
    decoder: Literal["auto", "softmax", "crf"] = setting(
        "auto", "softmax: each tag by itself; crf: whole sequences of tags; auto: crf for spans"
    )
    balance: bool = setting(
        True, "spans: after the training the bias of O is set to what is best for the F1 of the validation rows"
    )


class Tags(Head):
    """Chooses one of K tags for each step: a linear layer, then softmax cross-entropy or a CRF.

    Tags that form spans (``B-PER I-PER O``) are learnt as BIOES, whatever scheme the data are in, and given back in
    that of the training data; a CRF gives legal sequences alone (Huang, Xu & Yu 2015, https://arxiv.org/abs/1508.01991;
    Lample et al. 2016, https://arxiv.org/abs/1603.01360). Spans are counted as conlleval does: right are those whose
    kind and both ends are. A tag that no training row has cannot be predicted: it counts as wrong, and is left out of
    the loss, with a CRF all of its row.
    """

    config = TagsConfig
    roles = ("tags",)
    aligned = True

    def __init__(
        self, config: TagsConfig, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module
    ) -> None:
        super().__init__(config, width, known, modality, encoder)
        self.choice, self.balance = config.scheme, config.balance
        self.labels: list[str] = known["labels"]
        self.scheme: str = known["scheme"]
        self.objective = Objective("f1" if self.spans else "accuracy", maximise=True, tie="nats_per_token")
        # Several of the labels may be one tag in the data's scheme: B and S are both B there.
        spelt = [spelled(label, self.scheme) for label in self.labels] if self.spans else self.labels
        self.tags = list(dict.fromkeys(spelt))
        self.places = {tag: i for i, tag in enumerate(self.tags)}
        if self.scheme == "iob1":  # in which the first step of a span that touches one of its kind is written otherwise
            self.places |= {f"B{tag[1:]}": i for i, tag in enumerate(self.tags) if tag != OUTSIDE}
        self.register_buffer("tag_of", torch.tensor([self.places[tag] for tag in spelt]), persistent=False)
        self.output = nn.Linear(width, len(self.labels))
        wanted = config.decoder == "crf" or (config.decoder == "auto" and self.spans)
        self.crf: CRF | None = self._crf() if wanted else None

    @property
    def spans(self) -> bool:
        """Whether the tags form spans."""
        return self.scheme in SCHEMES

    @classmethod
    def learn(cls, config: TagsConfig, frame: "pd.DataFrame") -> dict[str, Any]:
        rows = [_split(value) for value in frame["tags"]]
        found = {tag for row in rows for tag in row}
        looks = OUTSIDE in found and len(found) > 1 and all(map(is_span_tag, found))
        if config.scheme == "plain" or (config.scheme == "auto" and not looks):
            labels, scheme = sorted(found), "plain"
        else:
            scheme = recognise(rows, list(frame.index), "training rows", config.scheme)
            kinds = sorted({kind for row in rows for kind, _, _ in spans_of(row)})
            labels = [OUTSIDE, *(f"{letter}-{kind}" for kind in kinds for letter in SCHEMES[CANONICAL])]
        if len(labels) < 2:
            raise DataError(f"column tags: only one value, {labels[0]!r}, in all {len(rows)} training rows")
        return {"labels": labels, "scheme": scheme}

    def targets(self, frame: "pd.DataFrame", where: str) -> Ragged:
        rows = [_split(value) for value in frame["tags"]]
        if self.spans:
            recognise(rows, list(frame.index), where, self.choice)
            rows = [tags_of(spans_of(row), len(row), CANONICAL) for row in rows]
        ids = {tag: i for i, tag in enumerate(self.labels)}
        numbers = [ids[tag] if tag in ids else self._unknown(tag) for row in rows for tag in row]
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        return Ragged.of_layout(torch.tensor(numbers, dtype=torch.int64), Layout.of_lengths(lengths))

    def _unknown(self, tag: str) -> int:
        return UNKNOWN_INSIDE if self.spans and tag[0] in "IE" else UNKNOWN

    def _crf(self) -> CRF:
        labels = self.labels
        if not self.spans:
            return CRF(len(labels))
        return CRF(
            len(labels),
            allowed=torch.tensor([[follows(one, other) for other in labels] for one in labels]),
            may_begin=torch.tensor([follows(OUTSIDE, label) for label in labels]),
            may_end=torch.tensor([follows(label, OUTSIDE) for label in labels]),
        )

    def logits(self, features: Ragged) -> Ragged:
        """features: [N, F]. Returns the score of each tag at each step, [N, K]."""
        return features.with_values(self.output(features.values))

    def loss(self, features: Ragged, last: Tensor, targets: Ragged) -> tuple[Tensor, Tensor | float]:
        logits, known = self.logits(features), targets.values >= 0
        if self.crf is None:
            total = functional.cross_entropy(logits.values[known], targets.values[known], reduction="sum")
            return total, known.sum().clamp(min=1)
        complete = torch.ones_like(targets.lengths).index_add(0, targets.layout.rows, known.long() - 1) == 1
        if not bool(complete.all()):
            rows = complete.nonzero()[:, 0]
            logits, targets = logits[rows], targets[rows]
        return self.crf.loss(logits, targets.values).sum(), float(max(1, len(targets.values)))

    def calibrate(self, measured: Callable[[], Meter]) -> bool:
        """Lowers or raises the bias of O until as many spans are found as is best for the F1 of the rows counted.

        The likeliest tags are not those with the best F1: where spans are hard to find, too few of them are.
        """
        if not (self.spans and self.balance):
            return False
        meter = measured()
        assert isinstance(meter, _TagsMeter)
        lead = max(LEADS, key=lambda lead: (meter.f1(lead), -abs(lead)))
        with torch.no_grad():
            self.output.bias[self.labels.index(OUTSIDE)] -= lead
        return lead != 0

    def best(self, logits: Ragged) -> Tensor:
        """The tags of the best sequences, [N] int64. logits: values [N, K]."""
        return logits.values.argmax(-1) if self.crf is None else self.crf.best(logits)

    def probabilities(self, logits: Ragged) -> Tensor:
        """How probable each tag is at each step, [N, K]; with a CRF given the whole sequence. logits: values [N, K]."""
        return logits.values.softmax(-1) if self.crf is None else self.crf.marginals(logits)

    def explain(
        self, inputs: Ragged, features: Ragged, last: Tensor, contributions: Contributions
    ) -> list[dict[str, Any]]:
        """As ``decode``, with the likeliest of each step's other tags, as the data write them."""
        logits, found = self.logits(features), self.decode(features, last)
        others = self._as_written(self.probabilities(logits)).scatter(1, self._said(found)[:, None], -1.0)
        shares, places = others.topk(min(MOST_OTHERS, len(self.tags) - 1))
        rows = zip(*(logits.with_values(values).unbind() for values in (shares, places)), strict=True)
        return [
            one
            | {
                "others": [
                    [{"tag": self.tags[i], "probability": p} for p, i in zip(*step, strict=True)]
                    for step in zip(share.tolist(), place.tolist(), strict=True)
                ]
            }
            for one, (share, place) in zip(found, rows, strict=True)
        ]

    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """Each step's tag and its probability; of spans also where they are, and how sure their least sure step is,
        that they begin and end there included."""
        logits = self.logits(features)
        best, probability = self.best(logits), self.probabilities(logits)
        sure = probability.gather(1, best[:, None])[:, 0]
        rows = zip(*(logits.with_values(values).unbind() for values in (best, sure)), strict=True)
        found = [self._tagged([self.labels[i] for i in ids.tolist()], shares.tolist()) for ids, shares in rows]
        written = self._as_written(probability).gather(1, self._said(found)[:, None])[:, 0]
        return [
            one | {"probabilities": shares.tolist()}
            for one, shares in zip(found, logits.with_values(written).unbind(), strict=True)
        ]

    def _tagged(self, labels: list[str], sure: list[float]) -> dict[str, Any]:
        """The tags of a row as the data write them, and its spans. sure: how probable each label is."""
        if not self.spans:
            return {"tags": labels}
        spans = spans_of(labels)
        return {
            "tags": list(tags_of(spans, len(labels), self.scheme)),
            "spans": [
                {"kind": kind, "start": start, "end": end, "probability": min(sure[start:end])}
                for kind, start, end in spans
            ],
        }

    def _said(self, found: list[dict[str, Any]]) -> Tensor:
        """[N], the place among ``tags`` of each step's tag."""
        places = [self.places[tag] for one in found for tag in one["tags"]]
        return torch.tensor(places, dtype=torch.int64, device=self.get_buffer("tag_of").device)

    def _as_written(self, probability: Tensor) -> Tensor:
        """How probable each tag of the data's scheme is at each step. probability: of each label, [N, K]."""
        found = probability.new_zeros(len(probability), len(self.tags))
        return found.index_add(1, self.get_buffer("tag_of"), probability).clamp(max=1)

    def said(self, tokens: Callable[[], list[str]], result: dict[str, Any]) -> dict[str, Any]:
        return {"tokens": tokens()[: len(result["tags"])], **result}

    def meter(self) -> Meter:
        return _TagsMeter(self)


def _split(value: Any) -> TagRow:
    """A row's tags: those of a list, or what stands between white space."""
    return tuple(value.split()) if isinstance(value, str) else tuple(value)


class _TagsMeter(Meter):
    def __init__(self, head: Tags):
        self.head = head
        self.nats, self.known = 0.0, 0
        self.scored: list[tuple[Ragged, Ragged]] = []  # of spans the logits of each batch, and its targets
        self.rows: list[Tensor] = []  # [3, B] each: the row, its wrong steps, its steps
        # Spans of each kind.
        self.true: Counter[str] = Counter()
        self.predicted: Counter[str] = Counter()
        self.correct: Counter[str] = Counter()

    def update(self, features: Ragged, last: Tensor, targets: Ragged, rows: Tensor | None) -> None:
        with torch.no_grad():
            total, count = self.head.loss(features, last, targets)
            logits = self.head.logits(features)
            best = self.head.best(logits)
        self.nats += float(total)
        self.known += int(count)
        numbers = torch.arange(len(targets)) if rows is None else rows.cpu()
        wrong = targets.lengths.new_zeros(len(targets)).index_add(
            0, targets.layout.rows, (best != targets.values).long()
        )
        self.rows.append(torch.stack([numbers, wrong.cpu(), targets.lengths.cpu()]))
        if self.head.spans:
            self.scored.append((logits, targets))
            for predicted, true in self._each(best, targets):
                self.predicted.update(kind for kind, _, _ in predicted)
                self.true.update(kind for kind, _, _ in true)
                self.correct.update(kind for kind, _, _ in predicted & true)

    def f1(self, lead: float) -> float:
        """As it would be if the bias of O were so much lower."""
        counts, outside = [0, 0, 0], self.head.labels.index(OUTSIDE)
        for logits, targets in self.scored:
            values = logits.values.clone()
            values[:, outside] -= lead
            best = self.head.best(logits.with_values(values))
            for predicted, true in self._each(best, targets):
                counts = [a + len(b) for a, b in zip(counts, (predicted & true, predicted, true), strict=True)]
        return _scores(*counts)["f1"]

    def _each(self, best: Tensor, targets: Ragged) -> Iterator[tuple[set[Span], set[Span]]]:
        """Each row's spans that were found, and those that there are."""
        for one, other in zip(targets.with_values(best).unbind(), targets.unbind(), strict=True):
            yield self._spans(one), self._spans(other)

    def _spans(self, ids: Tensor) -> set[Span]:
        names = {UNKNOWN: "B-?", UNKNOWN_INSIDE: "I-?"}
        return set(spans_of([names[i] if i < 0 else self.head.labels[i] for i in ids.tolist()]))

    def metrics(self) -> dict[str, float]:
        _, wrong, steps = torch.cat(self.rows, dim=1).sum(1).tolist()
        figures = {"accuracy": (steps - wrong) / max(1, steps), "nats_per_token": self.nats / max(1, self.known)}
        if not self.head.spans:
            return figures
        counts = (counts.total() for counts in (self.correct, self.predicted, self.true))
        return _scores(*counts) | figures

    def details(self, frame: "pd.DataFrame") -> dict[str, Any]:
        """Of spans: for each kind how many there are, were predicted and are right, and the scores of that."""
        if not self.head.spans:
            return {}
        kinds = sorted(self.true | self.predicted)
        counts = ((kind, self.correct[kind], self.predicted[kind], self.true[kind]) for kind in kinds)
        return {
            "spans": [
                {"kind": kind, "true": true, "predicted": predicted, **_scores(correct, predicted, true)}
                for kind, correct, predicted, true in counts
            ]
        }

    def telling(self, frame: "pd.DataFrame") -> dict[int, Any]:
        """Rows without a wrong tag, and those with the most: their spans, or each step's tag as one."""
        rows, wrong, steps = torch.cat(self.rows, dim=1)
        return {row: self._wanted(_split(frame["tags"].iloc[row])) for row in best_and_worst(rows, wrong, steps)}

    def _wanted(self, tags: TagRow) -> list[dict[str, Any]]:
        spans = spans_of(tags) if self.head.spans else [(tag, i, i + 1) for i, tag in enumerate(tags)]
        return [{"kind": kind, "start": start, "end": end} for kind, start, end in spans]


def _scores(correct: int, predicted: int, true: int) -> dict[str, float]:
    return {
        "f1": 2 * correct / max(1, predicted + true),
        "precision": correct / max(1, predicted),
        "recall": correct / max(1, true),
    }
