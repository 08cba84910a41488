"""How well vectors agree with scores, and how well they find what belongs to a text."""

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.heads._pairs import Pairs
from recurra.heads._telling import agreement
from recurra.heads.base import Meter
from recurra.ranking import BM25, Ranked, fuse, ranks
from recurra.sequences import Ragged

if TYPE_CHECKING:
    import pandas as pd

    from recurra.heads.vector import Vector

# Texts compared with all documents at once.
TOGETHER = 1024
# So many texts are shown with the best of what they find.
SHOWN, BEST = 6, 3


class _VectorMeter(Meter):
    """Keeps both vectors of every row, and what is known of it."""

    def __init__(self, head: "Vector"):
        self.head = head
        self.vectors: list[Tensor] = []
        self.targets: list[Pairs] = []
        self.rows: list[Tensor] = []

    def update(self, features: Ragged, last: Tensor, targets: Pairs, rows: Tensor | None) -> None:
        with torch.no_grad():
            vectors = self.head.vectors(features, last).cpu()
        self.vectors.append(torch.stack([vectors[: len(targets)], vectors[len(targets) :]]))
        self.targets.append(targets.to(torch.device("cpu")))
        self.rows.append(torch.arange(len(targets)) if rows is None else rows.cpu())

    @cached_property
    def order(self) -> Tensor:
        """From the batches' order to the data's."""
        return torch.cat(self.rows).argsort()

    def pairs(self) -> tuple[Tensor, Tensor]:
        """Each row's two vectors, [B, D], in the data's order."""
        text, other = torch.cat(self.vectors, dim=1)[:, self.order]
        return text, other


class ScoreMeter(_VectorMeter):
    """The scores that vectors give beside those that were given."""

    @cached_property
    def wanted(self) -> Tensor:
        return torch.cat([targets.scores for targets in self.targets if targets.scores is not None])[self.order]

    @cached_property
    def cosines(self) -> Tensor:
        text, other = self.pairs()
        return (text * other).sum(-1).to(self.head.device)

    @cached_property
    def found(self) -> Tensor:
        with torch.no_grad():
            return self.head.scores(self.cosines).double().cpu()

    def details(self, frame: "pd.DataFrame") -> dict[str, Any]:
        """The scores that were given beside those that were found."""
        return {"agreement": agreement(self.wanted, self.found)}

    def metrics(self) -> dict[str, float]:
        found, wanted = self.found, self.wanted
        with torch.no_grad():
            nats = self.head.score_nats(self.cosines, wanted.to(self.head.device)).item()
        return {
            "pearson": _correlation(found, wanted),
            "spearman": _correlation(_ranked(found), _ranked(wanted)),
            "mse": (found - wanted).square().mean().item(),
            "nats": nats / len(wanted),
        }


class RankMeter(_VectorMeter):
    """Each text asks for its other ones among all the other ones there are."""

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        keys: NDArray[np.int64] = torch.cat([targets.keys for targets in self.targets])[self.order].numpy()
        return keys

    @cached_property
    def asked(self) -> NDArray[np.int64]:
        """The first row of each different text."""
        texts, first = np.unique(self.keys[:, 0], return_index=True)
        return first[texts >= 0]

    @cached_property
    def documents(self) -> NDArray[np.int64]:
        """The first row of each different other one."""
        return np.unique(self.keys[:, 1], return_index=True)[1]

    def relevant(self) -> list[NDArray[np.int64]]:
        """For each of ``asked`` the places of its own in ``documents``."""
        place = np.unique(self.keys[:, 1], return_inverse=True)[1]
        return [np.unique(place[self.keys[:, 0] == self.keys[row, 0]]) for row in self.asked]

    def scores(self) -> Iterator[Tensor]:
        """For each of ``asked`` the cosines with ``documents``."""
        text, other = self.pairs()
        for part in torch.split(text[self.asked], TOGETHER):
            yield from part @ other[self.documents].T

    def metrics(self) -> dict[str, float]:
        ranked, nats, count = Ranked(), 0.0, 0
        for cosines, own in zip(self.scores(), self.relevant(), strict=True):
            ranked.add(ranks(cosines.numpy(), own))
            logits = cosines.double() / self.head.temperature
            rest = logits.index_fill(0, torch.from_numpy(own), -torch.inf).logsumexp(0)
            nats += (torch.logaddexp(logits[own], rest) - logits[own]).sum().item()
            count += len(own)
        return {**ranked.metrics(), "nats": nats / max(1, count)}

    def details(self, frame: "pd.DataFrame") -> dict[str, Any]:
        """What a few texts find, and the place of the first right one."""
        every, rows = -(-len(self.asked) // SHOWN) or 1, []
        for i, (cosines, own) in enumerate(zip(self.scores(), self.relevant(), strict=True)):
            if i % every:
                continue
            best = cosines.argsort(descending=True, stable=True)[:BEST].tolist()
            found = [{"text": self._document(frame, place), "right": place in own} for place in best]
            asked = _text(frame[self.head.modality.role].iloc[self.asked[i]])
            rows.append({"asked": asked, "found": found, "place": int(ranks(cosines.numpy(), own)[0])})
        return {"asked": rows}

    def _document(self, frame: "pd.DataFrame", place: int) -> str:
        return _text(frame["other"].iloc[self.documents[place]])

    def beside(self, frame: "pd.DataFrame", trained: "pd.DataFrame | None") -> dict[str, dict[str, float]]:
        """BM25, and both rankings fused."""
        texts = [_text(value) for value in frame[self.head.modality.role].iloc[self.asked]]
        documents = [self._document(frame, place) for place in range(len(self.documents))]
        bm25 = BM25.fit(documents)
        words, fused = Ranked(), Ranked()
        for text, cosines, own in zip(texts, self.scores(), self.relevant(), strict=True):
            words.add(ranks(bm25.scores(text), own))
            rankings = (-cosines).argsort(stable=True).numpy(), bm25.ranking(text)
            fused.add(ranks(fuse(rankings, len(documents)), own))
        return {"BM25": words.metrics(), "both fused": fused.metrics()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else " ".join(map(str, value))  # type: ignore[call-overload]


def _correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's; 0 where one of the two is constant."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-12))


def _ranked(values: Tensor) -> Tensor:
    """Ranks, equals sharing the mean of theirs."""
    _, place, counts = np.unique(values.numpy(), return_inverse=True, return_counts=True)
    return torch.from_numpy((counts.cumsum() - (counts - 1) / 2)[place])
