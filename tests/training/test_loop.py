"""The training loop: what it computes, when it stops, what it counts."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from recurra.errors import InputError
from recurra.heads import Objective
from recurra.sequences import Ragged, State
from recurra.sequences.batches import Separate, Streams
from recurra.training import TrainingConfig, fit


class Recorder:
    """A log in memory, which can be rewound."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.ticks = 0

    def write(self, event: str, values: dict[str, Any]) -> None:
        self.events.append({"event": event, **json.loads(json.dumps(values))})

    def tick(self, values: dict[str, Any]) -> None:
        self.ticks += 1

    def position(self) -> int:
        return len(self.events)

    def rewind(self, position: int) -> None:
        del self.events[position:]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["event"] == event]


class Mean(nn.Module):
    """Learns the mean of its targets; its state counts the batches it was carried through."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1))
        self.dropout = nn.Dropout(0.2)
        self.carried: list[int] = []

    def forward(
        self, inputs: Ragged, targets: torch.Tensor | Ragged, state: State | None
    ) -> tuple[torch.Tensor, int, State]:
        state = State({"h": torch.zeros(1, 1)}) if state is None else state
        self.carried.append(int(state["h"]))
        values = targets.values if isinstance(targets, Ragged) else targets
        error = self.dropout(values.float()) - self.weight
        return error.square().sum(), len(values), State({"h": state["h"] + 1})


DATA = Ragged.from_list([torch.zeros(n % 3 + 1) for n in range(24)])
ROWS = Separate(DATA, torch.arange(24) % 5, 8, shuffle=True)
LOWER = Objective("loss", maximise=False)


def train(
    tmp_path: Path,
    batches: Separate | Streams = ROWS,
    losses: list[float] | None = None,
    validated: bool = True,
    **settings: Any,
):
    """Returns the outcome, the log, the model and how often weights were kept."""
    model, log, kept = Mean(), Recorder(), []
    values = iter(losses) if losses is not None else None

    def validate() -> dict[str, float]:
        if not validated:
            return {}
        return {"loss": next(values) if values is not None else float(model.weight.detach().square())}

    outcome = fit(
        model,
        batches,
        TrainingConfig(**{"device": "cpu", "log_steps": 3, **settings}),
        objective=LOWER,
        validate=validate,
        keep=lambda: kept.append(model.weight.item()),
        log=log,
        checkpoint_file=tmp_path / "checkpoint",
    )
    return outcome, log, model, kept


def test_trains_for_the_epochs_asked_for(tmp_path):
    outcome, log, model, _ = train(tmp_path, epochs=30, rate=0.1)
    assert outcome.reason == "epochs"
    assert outcome.step == sum(ROWS.count(0, e) for e in range(30)) == log.ticks
    assert 1.0 < model.weight.item() < 2.2
    assert [e["epoch"] for e in log.of("valid")] == list(range(1, 31))


def test_keeps_the_best_weights_and_stops_when_nothing_gets_better(tmp_path):
    outcome, log, _, kept = train(tmp_path, epochs=9, losses=[3.0, 2.0, 2.5, 2.4, 2.3, 1.0], patience=3)
    assert outcome.reason == "early stopping"
    assert outcome.best == {"loss": 2.0}
    assert len(kept) == 2
    assert [e["best"] for e in log.of("valid")] == [True, True, False, False, False]


@pytest.mark.parametrize("validated", [True, False])
def test_keeps_the_last_weights_however_they_validate(tmp_path, validated):
    losses = [1.0, 2.0, 3.0] if validated else None
    outcome, log, model, kept = train(tmp_path, epochs=3, losses=losses, validated=validated, weights="last")
    assert kept[-1] == model.weight.item()
    assert len(kept) == 3
    assert outcome.best == ({"loss": 3.0} if validated else {})
    assert len(log.of("valid")) == (3 if validated else 0)


@pytest.mark.parametrize("setting", [{"patience": 2}, {"schedule": "plateau"}, {"optimizer": "asgd"}])
def test_what_goes_by_validations_does_not_go_with_the_last_weights(setting):
    with pytest.raises(InputError, match=rf"training\.{next(iter(setting))}: .* set training\.weights=best"):
        TrainingConfig(weights="last", **setting)


def test_stops_when_the_time_is_up_and_the_rate_has_come_down(tmp_path):
    outcome, log, _, _ = train(tmp_path, epochs=0, minutes=0.01, warmup=0.0)
    assert outcome.reason == "minutes"
    assert 0.6 <= outcome.seconds < 3
    rates = [e["rate"] for e in log.of("step")]
    assert rates[0] > 0.9 * 3e-3
    assert rates[-1] < 0.2 * 3e-3
    assert log.of("valid")[-1]["step"] == outcome.step


def test_plateau_halves_the_rate_after_a_validation_without_improvement(tmp_path):
    _, log, _, _ = train(
        tmp_path, epochs=3, losses=[1.0, 2.0, 0.5], schedule="plateau", warmup=0.0, rate=0.1, log_steps=1
    )
    rates = [e["rate"] for e in log.of("step")]
    assert sorted(set(rates)) == [0.05, 0.1]
    assert rates == sorted(rates, reverse=True)


def test_accumulated_batches_make_one_step(tmp_path):
    outcome, *_ = train(tmp_path, epochs=1, accumulate=4)
    assert outcome.step == -(-ROWS.count(0, 0) // 4)


def test_the_rate_goes_with_the_steps_of_a_batch(tmp_path):
    batches = Streams(torch.arange(200) % 7, 4, 20, shuffle=True, spread=4.0)
    _, log, _, _ = train(tmp_path, batches, epochs=2, rate=0.1, schedule="constant", warmup=0.0, log_steps=1)
    shares = [b.share for epoch in (0, 1) for b in batches.epoch(0, epoch)]
    assert [e["rate"] for e in log.of("step")] == pytest.approx([0.1 * share for share in shares])
    assert len(set(shares)) > 2


def test_clipping_is_counted(tmp_path):
    (tmp_path / "other").mkdir()
    _, log, _, _ = train(tmp_path, epochs=1, clip_norm=1e-3)
    assert log.of("end")[0]["clipped"] == 1.0
    _, log, _, _ = train(tmp_path / "other", epochs=1, clip_norm=0.0, clip_value=1e9)
    assert log.of("end")[0]["clipped"] == 0.0


def test_streams_carry_their_state_and_begin_each_epoch_without(tmp_path):
    streams = Streams(torch.arange(41), 2, 5, shuffle=False)
    _, _, model, _ = train(tmp_path, streams, epochs=2)
    assert model.carried == [0, 1, 2, 3, 0, 1, 2, 3]


def test_rows_apart_carry_nothing(tmp_path):
    _, _, model, _ = train(tmp_path, epochs=2)
    assert set(model.carried) == {0}


def test_a_loss_that_is_no_number_ends_the_training(tmp_path):
    bad = Separate(DATA, torch.full((24,), torch.nan), 8, shuffle=True)
    outcome, log, _, kept = train(tmp_path, bad, epochs=5, validate_steps=1000)
    assert outcome.reason == "diverged"
    assert outcome.step == 3
    assert outcome.best is None
    assert not kept
    assert log.of("end")[0]["reason"] == "diverged"


class Stop(Exception):
    pass


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "asgd"])
@pytest.mark.parametrize(
    "batches",
    [
        ROWS,
        Streams(torch.arange(200) % 7, 4, 5, shuffle=True),
        Streams(torch.arange(200) % 7, 4, 9, shuffle=True, spread=3.0),
    ],
    ids=["rows", "streams", "drawn"],
)
def test_goes_on_from_a_checkpoint_to_the_same_numbers(tmp_path, batches, optimizer):
    """Killed between two checkpoints, a resumed training ends with the same weights and the same log."""
    settings = {
        "optimizer": optimizer,
        "epochs": 6,
        "rate": 0.02,
        "nonmonotone": 1,
        "accumulate": 2,
        "schedule": "plateau",
    }
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()

    def run(folder: Path, model: Mean, log: Recorder, stop_at: int = -1):
        def tick(values: dict[str, Any]) -> None:
            if values["step"] == stop_at:
                raise Stop

        log.tick = tick
        losses = [3.0, 2.0, 2.5, 2.4, 2.6, 2.7]
        return fit(
            model,
            batches,
            TrainingConfig(device="cpu", checkpoint_seconds=0.0, log_steps=3, **settings),
            objective=LOWER,
            validate=lambda: {"loss": losses[len(log.of("valid"))] + model.weight.item() * 1e-6},
            keep=lambda: None,
            log=log,
            checkpoint_file=folder / "checkpoint",
            seed=4,
        )

    whole, whole_log = Mean(), Recorder()
    run(tmp_path / "a", whole, whole_log)
    log = Recorder()
    for stop_at in (2, 11, 12):
        with pytest.raises(Stop):
            run(tmp_path / "b", Mean(), log, stop_at)
    resumed = Mean()
    run(tmp_path / "b", resumed, log)
    assert torch.equal(resumed.weight, whole.weight)

    def timeless(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in e.items() if k not in ("seconds", "tokens_per_second")} for e in events]

    assert timeless(log.events) == timeless(whole_log.events)


def test_ctrl_c_ends_after_the_step_and_resumes(tmp_path):
    model, log = Mean(), Recorder()

    def go(interrupt: bool):
        log.tick = lambda values: signal.raise_signal(signal.SIGINT) if interrupt and values["step"] == 5 else None
        return fit(
            model,
            ROWS,
            TrainingConfig(device="cpu", epochs=4),
            objective=LOWER,
            validate=lambda: {"loss": 1.0},
            keep=lambda: None,
            log=log,
            checkpoint_file=tmp_path / "checkpoint",
        )

    before = signal.getsignal(signal.SIGINT)
    outcome = go(interrupt=True)
    assert outcome.reason == "interrupted"
    assert outcome.step == 5
    assert outcome.best == {"loss": 1.0}
    assert signal.getsignal(signal.SIGINT) is before
    outcome = go(interrupt=False)
    assert outcome.reason == "epochs"
    assert outcome.step == sum(ROWS.count(0, e) for e in range(4))
    assert [e["reason"] for e in log.of("end")] == ["epochs"]
