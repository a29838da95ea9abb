"""The training loop, top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel

from cervseg.core.errors import CervsegError
from cervseg.core.folders import FoldFolder
from cervseg.core.log import Log, quiet
from cervseg.core.types import Hyperparameters
from cervseg.networks.checkpoint import ModelDescription, Progress, RandomState
from cervseg.training.bar import TrainingBar
from cervseg.training.checkpoint import restore, save_best, save_latest
from cervseg.training.data import Batch, BatchPlan
from cervseg.training.distillation import Teacher
from cervseg.training.ema import average_of
from cervseg.training.features import keep_features, what_is_kept
from cervseg.training.freezing import train_mode
from cervseg.training.logbook import Logbook
from cervseg.training.precision import autocast, grad_scaler
from cervseg.training.random_state import set_random_state
from cervseg.training.schedule import set_learning_rate
from cervseg.training.stopping import Clock, stop_at_step_end
from cervseg.training.trainer import Trainer
from cervseg.training.validation import mean_dice

SAVE_EVERY_S = 30.0


@dataclass(frozen=True, kw_only=True)
class FoldRun:
    """The parts of one fold's training.

    Args:
        trainer: steps and logits.
        network: on ``device``.
        loss: on ``device``.
        optimizer: of the network's parameters.
        training: batches to train on.
        validation: batches to validate on; None where every case is trained on: the last epoch is the best.
        model: the constant part of the checkpoints, hyperparameters included.
        folder: where checkpoints and log are written.
        device: to compute on.
        teacher: adds soft targets to the loss.
        feature_bytes: memory for the features of a frozen encoder, where they can be kept.
    """

    trainer: Trainer
    network: nn.Module
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    training: BatchPlan
    validation: BatchPlan | None
    model: ModelDescription
    folder: FoldFolder
    device: torch.device
    teacher: Teacher | None = None
    feature_bytes: int = 0

    @property
    def hyper(self) -> Hyperparameters:
        """The hyperparameters of this training."""
        return self.model.configuration.hyperparameters


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How the training of a fold ended: finished.json.

    ``max_epochs`` and ``stopped_by_time`` are unknown (None, False) in files of cervseg 0.1.
    """

    epochs: int
    elapsed_s: float
    best_epoch: int
    best_dice: float | None
    max_epochs: int | None = None
    stopped_by_time: bool = False


@dataclass(kw_only=True)
class _Loop:
    """The state of a running training."""

    clock: Clock
    scaler: GradScaler
    average: AveragedModel | None
    progress: Progress = field(default_factory=Progress)
    learning_rate: float = 0.0
    last_save_s: float = field(default_factory=time.monotonic)
    stop_wanted: Callable[[], bool] = lambda: False


def fit(
    run: FoldRun,
    *,
    max_time_s: float | None = None,
    on_epoch: Callable[[list[dict[str, Any]]], None] | None = None,
    log: Log = quiet,
) -> FitResult:
    """Train one fold, from its latest checkpoint if there is one.

    Ctrl-C and SIGTERM end the current step, save, and raise KeyboardInterrupt. An interrupted run that is
    resumed ends bit-equal to an undisturbed one (same machine, no ``max_time_s``): the state of the random
    generators is part of the checkpoint. When the function returns, a validated checkpoint exists, however
    short the time was.

    ``hyper.accumulate`` batches make one step: their gradients add up to that of one batch of all their cases
    (for losses that are means over cases, and networks without batch statistics).

    Args:
        run: the parts of the training; the network, the optimizer and the folder are changed.
        max_time_s: seconds for this call; earlier calls are not counted. See
            :func:`~cervseg.training.schedule.set_learning_rate` for the schedule of a resumed training.
        on_epoch: called with all rows of the log after each epoch.
        log: called with each message.

    Returns:
        How the training ended.

    Raises:
        CervsegError: the loss is not finite, or the checkpoint does not fit.
        KeyboardInterrupt: after a signal; the state is saved.
    """
    hyper, logbook = run.hyper, Logbook(path=run.folder.log)
    torch.manual_seed(hyper.seed)
    loop, random = _begin(run, max_time_s=max_time_s)
    logbook.keep_before(loop.progress.epoch)
    if hyper.freeze_encoder:
        run = _with_features(run)
        log(what_is_kept(run.training, run.validation))
    if random is not None:
        set_random_state(random, run.device)
    bar = TrainingBar(
        fold=run.model.fold,
        epochs=hyper.epochs,
        num_batches=run.training.num_batches,
        progress=loop.progress,
        clock=loop.clock,
    )
    with bar, stop_at_step_end() as loop.stop_wanted:
        while _has_more(run, loop):
            started_s = time.monotonic()
            _train_epoch(run, loop, bar)
            logbook.append(_validate_epoch(run, loop, started_s=started_s))
            if on_epoch is not None:
                on_epoch(logbook.rows())
            if loop.stop_wanted():
                _save(run, loop)
                raise KeyboardInterrupt
    if not run.folder.best.is_file():  # deleted since; the latest weights are the only ones left
        _keep_best(run, loop, epoch=loop.progress.epoch - 1, dice=_dice(run, loop))
    _save(run, loop)
    return FitResult(
        epochs=loop.progress.epoch,
        elapsed_s=loop.clock.elapsed_s,
        best_epoch=loop.progress.best_epoch,
        best_dice=loop.progress.dice,
        max_epochs=hyper.epochs,
        stopped_by_time=loop.progress.epoch < hyper.epochs,
    )


def _begin(run: FoldRun, *, max_time_s: float | None) -> tuple[_Loop, RandomState | None]:
    """Set up the loop, from the latest checkpoint if there is one; with the random state to continue from."""
    average = average_of(run.network, decay=run.hyper.ema_decay)
    scaler = grad_scaler(run.device, run.hyper.precision)
    if not run.folder.latest.is_file():
        clock = Clock(already_s=0.0, limit_s=max_time_s)
        return _Loop(clock=clock, scaler=scaler, average=average), None
    state = restore(
        run.folder.latest,
        run.model,
        network=run.network,
        optimizer=run.optimizer,
        scaler=scaler,
        average=average,
    )
    clock = Clock(already_s=state.progress.elapsed_s, limit_s=max_time_s)
    return _Loop(clock=clock, scaler=scaler, average=average, progress=state.progress), state.random


def _with_features(run: FoldRun) -> FoldRun:
    """Compute the features of a frozen encoder once, where they can be kept."""
    training, validation = keep_features(
        run.trainer,
        run.network,
        run.training,
        run.validation,
        device=run.device,
        precision=run.hyper.precision,
        memory_bytes=run.feature_bytes,
    )
    return replace(run, training=training, validation=validation)


def _has_more(run: FoldRun, loop: _Loop) -> bool:
    """Is another epoch to train? Even without time left, until there is a validated checkpoint."""
    is_over = loop.clock.is_over and loop.progress.best_epoch >= 0
    return loop.progress.epoch < run.hyper.epochs and not is_over


def _train_epoch(run: FoldRun, loop: _Loop, bar: TrainingBar) -> None:
    """Train the rest of the current epoch, or until the time is over."""
    hyper, progress = run.hyper, loop.progress
    train_mode(run.network)
    for batch in run.training.epoch(progress.epoch, start=progress.batch):
        loop.learning_rate = set_learning_rate(
            run.optimizer, hyper, step_share=_step_share(run, progress), time_share=loop.clock.share
        )
        loss = _backward(run, loop, batch.to(run.device))
        progress.batch += 1
        bar.update(progress, loss=loss)
        if progress.batch % hyper.accumulate and progress.batch < run.training.num_batches:
            continue  # the step has more batches; training is saved and stopped after whole steps only
        _update_weights(run, loop)
        if loop.stop_wanted():
            _save(run, loop)
            raise KeyboardInterrupt
        if loop.clock.is_over:
            break
        if time.monotonic() - loop.last_save_s > SAVE_EVERY_S:
            _save(run, loop)


def _step_share(run: FoldRun, progress: Progress) -> float:
    """Share of the steps of all epochs that is done."""
    accumulate = run.hyper.accumulate
    num_steps = -(-run.training.num_batches // accumulate)  # per epoch
    return (progress.epoch * num_steps + progress.batch // accumulate) / (run.hyper.epochs * num_steps)


def _backward(run: FoldRun, loop: _Loop, batch: Batch) -> float:
    """Add the gradients of one batch and its loss terms; returns its loss."""
    progress, hyper = loop.progress, run.hyper
    with autocast(run.device, hyper.precision):
        result = run.trainer.step(run.network, run.loss, batch)
        terms = result.terms if run.teacher is None else run.teacher.blend(result, batch)
    total = torch.stack(list(terms.values())).sum()
    _check_finite(total, folder=run.folder.path, rate=loop.learning_rate)
    weight = run.training.share_of_step(progress.batch, accumulate=hyper.accumulate)
    loop.scaler.scale(weight * total).backward()  # type: ignore[no-untyped-call]
    for name, value in terms.items():
        progress.sums[name] = progress.sums.get(name, 0.0) + float(value.detach())
    return float(total.detach())


def _check_finite(total: torch.Tensor, *, folder: Path, rate: float) -> None:
    if not torch.isfinite(total):
        raise CervsegError(
            "the loss is no longer a finite number",
            where=folder,
            hint=f"Try --set learning_rate={rate / 3:.0e}, or --set precision=float32",
        )


def _update_weights(run: FoldRun, loop: _Loop) -> None:
    loop.scaler.unscale_(run.optimizer)
    nn.utils.clip_grad_norm_(run.network.parameters(), run.hyper.gradient_clip)
    loop.scaler.step(run.optimizer)
    loop.scaler.update()
    run.optimizer.zero_grad(set_to_none=True)
    if loop.average is not None:
        loop.average.update_parameters(run.network)


def _validate_epoch(run: FoldRun, loop: _Loop, *, started_s: float) -> dict[str, Any]:
    """End an epoch: validate, keep the best weights; returns the epoch's row of the log."""
    progress, dice = loop.progress, _dice(run, loop)
    means = {name: value / max(1, progress.batch) for name, value in progress.sums.items()}
    row = {
        "epoch": progress.epoch,
        "loss": sum(means.values()),
        "terms": means,
        "val_dice": dice,
        "learning_rate": loop.learning_rate,
        "seconds": time.monotonic() - started_s,
        "elapsed_s": loop.clock.elapsed_s,
    }
    is_better = progress.dice is None or (dice is not None and dice > progress.dice)
    if run.validation is None or is_better:
        _keep_best(run, loop, epoch=progress.epoch, dice=dice)
    progress.epoch, progress.batch, progress.sums = progress.epoch + 1, 0, {}
    return row


def _dice(run: FoldRun, loop: _Loop) -> float | None:
    """Validate the average of the weights where one is kept, else the weights."""
    network = run.network if loop.average is None else loop.average.module
    return mean_dice(
        run.trainer,
        network,
        run.validation,
        num_labels=len(run.model.dataset.foreground),
        device=run.device,
        precision=run.hyper.precision,
    )


def _keep_best(run: FoldRun, loop: _Loop, *, epoch: int, dice: float | None) -> None:
    network = run.network if loop.average is None else loop.average.module
    loop.progress.dice, loop.progress.best_epoch = dice, epoch
    save_best(run.folder.best, run.model, network=network, epoch=epoch, dice=dice)


def _save(run: FoldRun, loop: _Loop) -> None:
    loop.progress.elapsed_s, loop.last_save_s = loop.clock.elapsed_s, time.monotonic()
    save_latest(
        run.folder.latest,
        run.model,
        network=run.network,
        optimizer=run.optimizer,
        progress=loop.progress,
        scaler=loop.scaler,
        average=loop.average,
        device=run.device,
    )
