"""The training loop: batches in, weights out."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from recurra.errors import InputError, RunError
from recurra.sequences import State
from recurra.training import checkpoint, optimisers
from recurra.training.config import TrainingConfig
from recurra.training.progress import Log, Progress, Window
from recurra.training.schedules import rate_factor

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from recurra.heads import Objective
    from recurra.sequences.batches import Batch, Separate, Streams


@dataclass(frozen=True)
class Outcome:
    """How a training ended: ``epochs``, ``minutes``, ``early stopping``, ``interrupted`` or ``diverged``."""

    reason: str
    step: int
    seconds: float
    best: dict[str, float] | None


def fit(
    model: nn.Module,
    batches: "Separate | Streams",
    config: TrainingConfig,
    *,
    objective: "Objective",
    validate: Callable[[], dict[str, float]],
    keep: Callable[[], None],
    log: Log,
    checkpoint_file: Path,
    fabric: "Fabric | None" = None,
    seed: int = 0,
) -> Outcome:
    """Trains ``model`` in place; its last weights are left in it, those of ``config.weights`` were handed to ``keep``.

    model: called as ``model(inputs, targets, state)``, gives (summed loss, count, state).
    validate: metrics of the validation data with the model's present weights; none where there are no such data, and
    ``config.weights`` is ``last``. keep: saves the present weights.
    checkpoint_file: written every ``checkpoint_seconds``; where it exists, the training goes on from it with the
    same numbers as if it had never stopped (bit for bit on one machine, unless a time budget steers the schedule).
    fabric: where to train; None: as the settings say.
    The first Ctrl-C ends the training after the present step, the second at once.
    """
    fabric = fabric or make_fabric(config)
    return _Loop(fabric, model, batches, config, objective, validate, keep, log, checkpoint_file, seed).run()


class _Loop:
    def __init__(
        self,
        fabric: "Fabric",
        model: nn.Module,
        batches: "Separate | Streams",
        config: TrainingConfig,
        objective: "Objective",
        validate: Callable[[], dict[str, float]],
        keep: Callable[[], None],
        log: Log,
        checkpoint_file: Path,
        seed: int,
    ):
        self.fabric = fabric
        self.module, self.batches, self.config, self.seed = model, batches, config, seed
        self.objective, self.validate, self.keep, self.log, self.file = objective, validate, keep, log, checkpoint_file
        torch.manual_seed(seed)
        self.model, self.optimizer = self.fabric.setup(model, optimisers.build(model, config))
        self.average = optimisers.Average()
        self.progress, self.window = Progress(), Window()
        self.state: State | None = None
        self.shares: list[float] = []  # of the batches since the last step
        self.total = 1  # batches in the present epoch
        self.interrupted = False
        self.now = self.saved = time.monotonic()

    def run(self) -> Outcome:
        if self.file.exists():
            self._resume()
        self.model.train()
        with self._interruptible():
            reason = self._epochs()
        p = self.progress
        if self.window.steps and not self._write_line():
            reason = "diverged"
        # An interrupted training that kept a best before keeps that one: a later --resume must find what it left.
        if p.validated != p.step and reason != "diverged" and not (reason == "interrupted" and p.best is not None):
            self._validate()
            if reason != "interrupted":
                self._save()
        share = p.clipped / p.step if p.step else 0.0
        self.log.write("end", {"reason": reason, **self._where(), "best_step": p.best_step, "clipped": share})
        return Outcome(reason, p.step, p.seconds, p.best)

    def _epochs(self) -> str:
        p, config = self.progress, self.config
        while not config.epochs or p.epoch < config.epochs:
            self.total = self.batches.count(self.seed, p.epoch)
            for batch in self.batches.epoch(self.seed, p.epoch, start=p.batch):
                self._backward(batch)
                p.batch += 1
                if p.batch % config.accumulate and p.batch < self.total:
                    continue
                self._step()
                if p.step % config.log_steps == 0 and not self._write_line():
                    return "diverged"
                if config.validate_steps and p.step % config.validate_steps == 0:
                    self._validate()
                if reason := self._finished():
                    self._save()
                    return reason
                if self.now - self.saved > config.checkpoint_seconds:
                    self._save()
            p.epoch, p.batch = p.epoch + 1, 0
            if not config.validate_steps:
                self._validate()
            if reason := self._finished():
                self._save()
                return reason
        self._save()
        return "epochs"

    def _finished(self) -> str | None:
        p, config = self.progress, self.config
        if self.interrupted:
            return "interrupted"
        if config.minutes and p.seconds >= config.minutes * 60:
            return "minutes"
        if config.patience and p.stale >= config.patience:
            return "early stopping"
        return None

    def _backward(self, batch: "Batch") -> None:
        inputs, targets = batch.inputs.to(self.fabric.device), batch.targets
        if targets is not None:
            targets = targets.to(self.fabric.device)
        state = self.state if batch.carry else None
        total, count, state = self.model(inputs, targets, None if state is None else state.detach())
        self.state = state
        # A mean over the batch; accumulated batches count alike, as if they were one.
        self.fabric.backward(total / (count * self.config.accumulate))
        self.progress.tokens += batch.steps
        self.shares.append(batch.share)
        self.window.add_loss(total, count, batch.steps)

    def _step(self) -> None:
        p, config = self.progress, self.config
        share = self._share()
        rate = config.rate * p.factor * rate_factor(config, share)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * sum(self.shares) / len(self.shares)
        self.shares.clear()
        limit, by_value = config.clip_norm or math.inf, config.clip_value
        clipped: Tensor | bool = False
        # Fabric's clipping comes first: it takes the scale of mixed precision off the gradients, once.
        norm = self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=math.inf if by_value else limit, error_if_nonfinite=False
        )
        if by_value:
            parameters = [q for q in self.module.parameters() if q.grad is not None]
            clipped = torch.stack([q.grad.abs().max() for q in parameters if q.grad is not None]).max() > by_value
            nn.utils.clip_grad_value_(parameters, by_value)
            norm = nn.utils.clip_grad_norm_(parameters, limit)
        assert norm is not None
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.module)
        p.step += 1
        seconds = self._clock()
        self.window.add_step(norm.detach(), clipped | (norm.detach() > limit), seconds)
        self.log.tick({**self._where(), "share": share, "rate": rate, "tokens": p.tokens, "window": self.window})

    def _share(self) -> float:
        """How much of the training is done, 0..1: by epochs or by time, whichever is further."""
        p, config = self.progress, self.config
        by_epochs = (p.epoch + p.batch / self.total) / config.epochs if config.epochs else 0.0
        by_time = p.seconds / (config.minutes * 60) if config.minutes else 0.0
        return min(1.0, max(by_epochs, by_time))

    def _clock(self) -> float:
        """Seconds since the last call, added to the training's own time."""
        last, self.now = self.now, time.monotonic()
        self.progress.seconds += self.now - last
        return self.now - last

    def _where(self) -> dict[str, float]:
        p = self.progress
        return {"step": p.step, "epoch": p.epoch + p.batch / self.total, "seconds": round(p.seconds, 3)}

    def _write_line(self) -> bool:
        """Closes the window. False where the loss is no longer a number."""
        line = self.window.line()
        self.progress.clipped += int(float(self.window.clipped))
        rate = self.optimizer.param_groups[0]["lr"]
        self.log.write("step", {**self._where(), "tokens": self.progress.tokens, "rate": rate, **line})
        self.window = Window()
        return math.isfinite(line["loss"])

    def _validate(self) -> None:
        p, config = self.progress, self.config
        with self.average.applied(self.module):
            metrics = self.validate()
            best = config.weights == "last" or self.objective.better(metrics, p.best)
            if best:
                self.keep()
        p.validated = p.step
        if best:
            p.best, p.best_step, p.stale = metrics, p.step, 0
        else:
            p.stale += 1
            if config.schedule == "plateau":
                p.factor *= config.plateau_factor
        if metrics:
            metric, maximise = self.objective.metric, self.objective.maximise
            p.losses.append(-metrics[metric] if maximise else metrics[metric])
        if (
            config.optimizer == "asgd"
            and not self.average.count
            and self.average.triggered(p.losses, config.nonmonotone)
        ):
            self.average.start(self.module)
        self._clock()
        if metrics:
            self.log.write("valid", {**self._where(), "metrics": metrics, "best": best})

    def _save(self) -> None:
        tree = {
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "progress": asdict(self.progress),
            "window": vars(self.window),
            "state": None if self.state is None else _as_tensor(self.state.to_bytes()),
            "random": checkpoint.random_state(),
            "log": self.log.position(),
        }
        checkpoint.write(self.file, tree)
        self.saved = time.monotonic()

    def _resume(self) -> None:
        tree, device = checkpoint.read(self.file), self.fabric.device
        try:
            self.module.load_state_dict(tree["model"])
            self.optimizer.load_state_dict(tree["optimizer"])
            self.average.load_state_dict({**tree["average"], "mean": [t.to(device) for t in tree["average"]["mean"]]})
            self.progress, self.window = Progress(**tree["progress"]), Window(**tree["window"])
            if tree["state"] is not None:
                self.state = State.from_bytes(tree["state"].numpy().tobytes()).to(device)
            checkpoint.restore_random_state(tree["random"])
            position = tree["log"]
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise RunError(
                f"{self.file}: a checkpoint of another model ({reason}); train into another folder"
            ) from error
        self.log.rewind(position)
        if self.config.patience and self.progress.stale >= self.config.patience:
            self.progress.stale = 0  # it had stopped for that, and is asked to go on all the same
        self.now = time.monotonic()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C only sets a flag; the handler is put back for the second."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def stop(number: int, frame: Any) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def _as_tensor(blob: bytes) -> Tensor:
    return torch.frombuffer(bytearray(blob), dtype=torch.uint8)


def make_fabric(config: TrainingConfig) -> "Fabric":
    """The device and precision of the settings. Raises InputError for a device that is not there."""
    from lightning_fabric import Fabric

    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("training.device: cuda was asked for, but torch finds no CUDA device; use auto or cpu")
    if config.device == "mps" and not torch.backends.mps.is_available():
        raise InputError("training.device: mps was asked for, but torch finds none; use auto or cpu")
    cuda = config.device == "cuda" or (config.device == "auto" and torch.cuda.is_available())
    precision: Any = ("bf16-mixed" if cuda else "32-true") if config.precision == "auto" else config.precision
    return Fabric(accelerator="gpu" if cuda else config.device, devices=1, precision=precision)
