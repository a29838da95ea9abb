"""The training loop, top to bottom."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cervseg.core.errors import CervsegError
from cervseg.core.progress import progress_bar
from cervseg.core.types import Hyperparameters
from cervseg.training.average import average_of
from cervseg.training.checkpoint import BEST, LATEST, resume, save_best, save_latest
from cervseg.training.data import Batch, BatchPlan
from cervseg.training.logbook import Logbook
from cervseg.training.trainer import Trainer

SAVE_EVERY_S = 30.0


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How a fold's training ended."""

    epochs: int
    elapsed_s: float
    best_epoch: int
    best_dice: float | None


@dataclass(kw_only=True)
class Progress:
    """How far a fold's training has come; what a checkpoint remembers of it are plain numbers.

    ``dice`` and ``best_epoch`` are the best so far, ``sums`` the loss terms of the epoch so far.
    """

    epoch: int = 0
    batch: int = 0
    elapsed_s: float = 0.0
    dice: float | None = None
    best_epoch: int = -1
    sums: dict[str, float] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)


def fit(
    trainer: Trainer,
    *,
    network: nn.Module,
    loss: nn.Module,
    optimizer: torch.optim.Optimizer,
    hyper: Hyperparameters,
    training: BatchPlan,
    validation: BatchPlan | None,
    model: dict[str, Any],
    folder: Path,
    device: torch.device,
    label: str,
    max_time_s: float | None = None,
    go_on: bool = True,
    on_epoch: Callable[[list[dict[str, Any]]], None] | None = None,
) -> FitResult:
    """Train one fold, from its latest checkpoint where there is one.

    The learning rate follows the larger of the share of epochs and the share of ``max_time_s`` done: warm-up,
    then a cosine to zero. Ctrl-C and SIGTERM end the current step, save, and raise KeyboardInterrupt. An
    interrupted run ends bit-equal to an undisturbed one (same machine, no ``max_time_s``).

    Args:
        network: on ``device`` already, as is ``loss``; ``optimizer`` holds its parameters.
        validation: None where every case is trained on; then the last epoch counts as the best.
        model: the constant part of the checkpoints.
        max_time_s: seconds for this fold's training, time before an interruption counted in.
        on_epoch: called with all rows of the log after each epoch.
    """
    torch.manual_seed(hyper.seed)
    log = Logbook(path=folder / "log.jsonl")
    progress = Progress()
    average = average_of(network, decay=hyper.ema_decay)
    judged: nn.Module = network if average is None else average.module
    if go_on and (folder / LATEST).is_file():
        kept = resume(folder / LATEST, model, network=network, optimizer=optimizer, average=average)
        progress = Progress(**kept)
    log.keep_before(progress.epoch)
    scaler = torch.amp.grad_scaler.GradScaler(device.type, enabled=hyper.precision == "float16")
    clock = _Clock(already_s=progress.elapsed_s, limit_s=max_time_s)
    total_batches = hyper.epochs * training.num_batches
    last_save, rate = time.monotonic(), 0.0
    if progress.scaler:
        scaler.load_state_dict(progress.scaler)

    def save() -> None:
        progress.elapsed_s, progress.scaler = clock.elapsed_s, scaler.state_dict()
        save_latest(
            folder / LATEST,
            model,
            network=network,
            optimizer=optimizer,
            average=average,
            progress=asdict(progress),
        )

    bar = progress_bar(total=total_batches, label=label, unit="step", log=True)
    bar.update(progress.epoch * training.num_batches + progress.batch)
    with bar, _stop_at_step_end() as stop_wanted:
        while progress.epoch < hyper.epochs and not clock.over:
            epoch, epoch_started = progress.epoch, time.monotonic()
            network.train()
            for batch in training.epoch(epoch, start=progress.batch):
                done = epoch * training.num_batches + progress.batch
                share = max(done / total_batches, clock.share)
                rate = hyper.learning_rate * schedule(share, warmup=hyper.warmup_fraction)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                batch = to_device(batch, device)
                with autocast(device, hyper.precision):
                    result = trainer.step(network, loss, batch)
                total = torch.stack(list(result.terms.values())).sum()
                _check_finite(total, folder=folder, rate=rate)
                optimizer.zero_grad(set_to_none=True)
                scaler.scale(total).backward()  # type: ignore[no-untyped-call]
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(network.parameters(), hyper.gradient_clip)
                scaler.step(optimizer)
                scaler.update()
                if average is not None:
                    average.update_parameters(network)
                progress.batch += 1
                _add_to_sums(progress.sums, result.terms)
                bar.update()
                bar.set_postfix_str(_bar_text(total, progress, epoch, hyper, clock), refresh=False)
                if stop_wanted():
                    save()
                    raise KeyboardInterrupt
                if clock.over:
                    break
                if time.monotonic() - last_save > SAVE_EVERY_S:
                    save()
                    last_save = time.monotonic()
            dice = mean_dice(trainer, judged, validation, device=device, precision=hyper.precision)
            terms = {name: value / max(1, progress.batch) for name, value in progress.sums.items()}
            log.append(
                {
                    "epoch": epoch,
                    "loss": sum(terms.values()),
                    "terms": terms,
                    "val_dice": dice,
                    "learning_rate": rate,
                    "seconds": time.monotonic() - epoch_started,
                    "elapsed_s": clock.elapsed_s,
                }
            )
            if validation is None or progress.dice is None or (dice is not None and dice > progress.dice):
                progress.dice, progress.best_epoch = dice, epoch
                save_best(folder / BEST, model, network=judged, epoch=epoch, dice=dice)
            progress.epoch, progress.batch, progress.sums = epoch + 1, 0, {}
            if on_epoch is not None:
                on_epoch(log.rows())
            if stop_wanted():
                save()
                raise KeyboardInterrupt
    save()
    return FitResult(
        epochs=progress.epoch,
        elapsed_s=clock.elapsed_s,
        best_epoch=progress.best_epoch,
        best_dice=progress.dice,
    )


def schedule(share: float, *, warmup: float) -> float:
    """Learning-rate factor in [0, 1] after ``share`` of the run: linear warm-up, then a cosine to zero."""
    if share < warmup:
        return (share + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warmup) / max(1e-9, 1 - warmup))))


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """Mixed precision by name: "bfloat16", "float16", or "float32" for none."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device, channels last: what convolutions like."""
    image = batch.image_BCHW.to(device, memory_format=torch.channels_last, non_blocking=True)
    return Batch(
        image_BCHW=image, target_BLHW=batch.target_BLHW.to(device, non_blocking=True), cases=batch.cases
    )


@torch.no_grad()
def mean_dice(
    trainer: Trainer,
    network: nn.Module,
    validation: BatchPlan | None,
    *,
    device: torch.device,
    precision: str,
) -> float | None:
    """Mean Dice (Eq. 15, threshold 0.5, network frame) over the cases and labels that either side has.

    This only chooses the checkpoint; the scores that are reported are measured at the films' own size.
    """
    if validation is None:
        return None
    network.eval()
    scores: list[torch.Tensor] = []
    for batch in validation.epoch(0):
        batch = to_device(batch, device)
        with autocast(device, precision):
            predicted = trainer.logits(network, batch) > 0
        target = batch.target_BLHW > 0.5
        both = 2.0 * (predicted & target).sum((2, 3))
        size = predicted.sum((2, 3)) + target.sum((2, 3))
        scores.append((both / size)[size > 0])
    found = torch.cat(scores)
    return float(found.mean()) if len(found) else None


class _Clock:
    """Seconds trained so far, the time before an interruption counted in."""

    def __init__(self, *, already_s: float, limit_s: float | None) -> None:
        self._start, self._limit_s = time.monotonic() - already_s, limit_s

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._start

    @property
    def share(self) -> float:
        return self.elapsed_s / self._limit_s if self._limit_s else 0.0

    @property
    def over(self) -> bool:
        return self.share >= 1


@contextmanager
def _stop_at_step_end() -> Iterator[Callable[[], bool]]:
    """Turn the first SIGINT or SIGTERM into a question to ask after each step; a second one acts at once."""
    wanted = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def remember(_signal: int, _frame: Any) -> None:
        nonlocal wanted
        if wanted:
            raise KeyboardInterrupt
        wanted = True

    previous = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: wanted
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _check_finite(total: torch.Tensor, *, folder: Path, rate: float) -> None:
    if not torch.isfinite(total):
        raise CervsegError(
            "the loss is no longer a finite number",
            where=folder,
            mend=f"Try --set learning_rate={rate / 3:.0e}, or --set precision=float32.",
        )


def _add_to_sums(sums: dict[str, float], terms: dict[str, torch.Tensor]) -> None:
    for name, value in terms.items():
        sums[name] = sums.get(name, 0.0) + float(value.detach())


def _bar_text(
    total: torch.Tensor, progress: Progress, epoch: int, hyper: Hyperparameters, clock: _Clock
) -> str:
    best = f"{progress.dice:.3f}" if progress.dice is not None else "-"
    left = f", {100 * clock.share:.0f}% of the time" if clock.share else ""
    return f"epoch {epoch + 1}/{hyper.epochs}, loss {float(total.detach()):.3f}, best Dice {best}{left}"
