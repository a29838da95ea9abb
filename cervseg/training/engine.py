"""The training loop, top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cervseg.core.errors import CervsegError
from cervseg.core.log import Log
from cervseg.core.paths import FoldFolder
from cervseg.core.progress import progress_bar
from cervseg.core.types import Hyperparameters
from cervseg.training.checkpoint import restore, save_best, save_latest
from cervseg.training.data import BatchPlan
from cervseg.training.distillation import Teacher
from cervseg.training.ema import average_of
from cervseg.training.features import keep_features, what_is_kept
from cervseg.training.freezing import train_mode
from cervseg.training.logbook import Logbook
from cervseg.training.precision import autocast, grad_scaler
from cervseg.training.stopping import Clock, stop_at_step_end
from cervseg.training.trainer import Trainer
from cervseg.training.validation import mean_dice

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
    folder: FoldFolder,
    device: torch.device,
    label: str,
    teacher: Teacher | None = None,
    feature_bytes: int = 0,
    max_time_s: float | None = None,
    resume: bool = True,
    on_epoch: Callable[[list[dict[str, Any]]], None] | None = None,
    log: Log = lambda _text: None,
) -> FitResult:
    """Train one fold, from its latest checkpoint where there is one.

    The learning rate follows the larger of the share of epochs and the share of ``max_time_s`` done: warm-up,
    then a cosine to zero. Ctrl-C and SIGTERM end the current step, save, and raise KeyboardInterrupt. An
    interrupted run ends bit-equal to an undisturbed one (same machine, no ``max_time_s``).

    ``hyper.accumulate`` batches make one step: their gradients add up to that of one batch of all their cases
    (for losses that are means over cases, and networks without batch statistics).

    Args:
        network: on ``device`` already, as is ``loss``; ``optimizer`` holds its parameters.
        validation: None where every case is trained on; then the last epoch counts as the best.
        model: the constant part of the checkpoints.
        teacher: adds soft targets to the loss.
        feature_bytes: what the features of a frozen encoder may take, where they can be kept.
        max_time_s: seconds for this fold's training, time before an interruption counted in.
        on_epoch: called with all rows of the log after each epoch.
        say: told what the user should know.
    """
    torch.manual_seed(hyper.seed)
    logbook = Logbook(path=folder.log)
    progress = Progress()
    average = average_of(network, decay=hyper.ema_decay)
    judged: nn.Module = network if average is None else average.module
    if resume and folder.latest.is_file():
        kept = restore(folder.latest, model, network=network, optimizer=optimizer, average=average)
        progress = Progress(**kept)
    logbook.keep_before(progress.epoch)
    scaler = grad_scaler(device, hyper.precision)
    clock = Clock(already_s=progress.elapsed_s, limit_s=max_time_s)
    num_steps = -(-training.num_batches // hyper.accumulate)  # in an epoch
    last_save, rate = time.monotonic(), 0.0
    if progress.scaler:
        scaler.load_state_dict(progress.scaler)
    if hyper.freeze_encoder:
        training, validation = keep_features(
            trainer,
            network,
            training,
            validation,
            device=device,
            precision=hyper.precision,
            memory_bytes=feature_bytes,
        )
        log(what_is_kept(training, validation))

    def save() -> None:
        progress.elapsed_s, progress.scaler = clock.elapsed_s, scaler.state_dict()
        save_latest(
            folder.latest,
            model,
            network=network,
            optimizer=optimizer,
            average=average,
            progress=asdict(progress),
        )

    bar = progress_bar(total=hyper.epochs * training.num_batches, label=label, unit="step", log=True)
    bar.update(progress.epoch * training.num_batches + progress.batch)
    with bar, stop_at_step_end() as stop_wanted:
        while progress.epoch < hyper.epochs and not clock.over:
            epoch, epoch_started = progress.epoch, time.monotonic()
            train_mode(network)
            for batch in training.epoch(epoch, start=progress.batch):
                done = epoch * num_steps + progress.batch // hyper.accumulate
                share = max(done / (hyper.epochs * num_steps), clock.share)
                rate = hyper.learning_rate * schedule(share, warmup=hyper.warmup_fraction)
                for group in optimizer.param_groups:
                    group["lr"] = rate * group.get("factor", 1.0)
                batch = batch.to(device)
                with autocast(device, hyper.precision):
                    result = trainer.step(network, loss, batch)
                    terms = result.terms if teacher is None else teacher.blend(result, batch)
                total = torch.stack(list(terms.values())).sum()
                _check_finite(total, folder=folder.path, rate=rate)
                weight = training.share_of_step(progress.batch, accumulate=hyper.accumulate)
                scaler.scale(weight * total).backward()  # type: ignore[no-untyped-call]
                progress.batch += 1
                _add_to_sums(progress.sums, terms)
                bar.update()
                bar.set_postfix_str(_bar_text(total, progress, epoch, hyper, clock), refresh=False)
                if progress.batch % hyper.accumulate and progress.batch < training.num_batches:
                    continue  # the step has more batches; it is saved, and stopped, whole
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(network.parameters(), hyper.gradient_clip)
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad(set_to_none=True)
                if average is not None:
                    average.update_parameters(network)
                if stop_wanted():
                    save()
                    raise KeyboardInterrupt
                if clock.over:
                    break
                if time.monotonic() - last_save > SAVE_EVERY_S:
                    save()
                    last_save = time.monotonic()
            dice = mean_dice(trainer, judged, validation, device=device, precision=hyper.precision)
            means = {name: value / max(1, progress.batch) for name, value in progress.sums.items()}
            logbook.append(
                {
                    "epoch": epoch,
                    "loss": sum(means.values()),
                    "terms": means,
                    "val_dice": dice,
                    "learning_rate": rate,
                    "seconds": time.monotonic() - epoch_started,
                    "elapsed_s": clock.elapsed_s,
                }
            )
            if validation is None or progress.dice is None or (dice is not None and dice > progress.dice):
                progress.dice, progress.best_epoch = dice, epoch
                save_best(folder.best, model, network=judged, epoch=epoch, dice=dice)
            progress.epoch, progress.batch, progress.sums = epoch + 1, 0, {}
            if on_epoch is not None:
                on_epoch(logbook.rows())
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


def _check_finite(total: torch.Tensor, *, folder: Path, rate: float) -> None:
    if not torch.isfinite(total):
        raise CervsegError(
            "the loss is no longer a finite number",
            where=folder,
            hint=f"Try --set learning_rate={rate / 3:.0e}, or --set precision=float32.",
        )


def _add_to_sums(sums: dict[str, float], terms: dict[str, torch.Tensor]) -> None:
    for name, value in terms.items():
        sums[name] = sums.get(name, 0.0) + float(value.detach())


def _bar_text(
    total: torch.Tensor, progress: Progress, epoch: int, hyper: Hyperparameters, clock: Clock
) -> str:
    best = f"{progress.dice:.3f}" if progress.dice is not None else "-"
    left = f", {100 * clock.share:.0f}% of the time" if clock.share else ""
    return f"epoch {epoch + 1}/{hyper.epochs}, loss {float(total.detach()):.3f}, best Dice {best}{left}"
