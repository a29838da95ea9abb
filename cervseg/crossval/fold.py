"""One fold of a model: train it, then validate it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cervseg.core.atomic import remove_leftovers
from cervseg.core.folders import FoldFolder
from cervseg.core.jsonio import write_json
from cervseg.core.log import Log
from cervseg.core.provenance import run_info
from cervseg.core.registry import TRAINERS, find, source_of
from cervseg.core.types import Hyperparameters, NetworkSpec
from cervseg.crossval.run import CrossValidation
from cervseg.crossval.setup import find_teacher, first_weights, training_batches
from cervseg.crossval.validation import validate_fold, validation_time_s
from cervseg.figures.training import progress_figure
from cervseg.inference.prompt_source import ORACLE
from cervseg.networks.base import build_network, num_parameters
from cervseg.networks.checkpoint import ModelDescription
from cervseg.networks.device import choose_device, choose_precision
from cervseg.training.distillation import Teacher
from cervseg.training.engine import FitResult, FoldRun, fit
from cervseg.training.freezing import choose_trained, freezes, num_trained
from cervseg.training.logbook import Logbook

FEATURES_SHARE = 0.25  # of the memory, for the features of a frozen encoder
FIGURE_EVERY_S = 60.0


def train_fold(job: CrossValidation, fold: str, *, max_time_s: float | None, log: Log) -> FitResult:
    """Train one fold and validate it.

    Args:
        job: the model.
        fold: a number or "all".
        max_time_s: seconds for this call, validation of the images at their own size included; None for no
            limit.
        log: called with each message.

    Returns:
        How the training ended; finished.json holds the same.

    Raises:
        CervsegError: a setting, a checkpoint or the teacher does not fit, or the loss is not finite.
    """
    started_s = time.monotonic()
    device = choose_device(job.options.device)
    teacher = find_teacher(job, fold, device=device, log=log)
    run = _fold_run(job, fold, device=device, teacher=teacher, log=log)
    # Only now is it known that this training is possible: until here nothing of an earlier one is deleted.
    _clear(job, run.folder)
    val_ids = job.split(fold)[1]
    if max_time_s is not None:
        reserve_s = validation_time_s(run, num_images=len(val_ids))
        max_time_s = max(1.0, max_time_s - (time.monotonic() - started_s) - reserve_s)
    figure = run.folder.progress_figure
    result = fit(run, max_time_s=max_time_s, on_epoch=_Figure(figure), log=log)
    progress_figure(Logbook(path=run.folder.log).rows(), figure)
    if val_ids:
        validate_fold(job, fold, log=log)
    write_json(run.folder.finished, result)
    return result


def _fold_run(
    job: CrossValidation, fold: str, *, device: torch.device, teacher: Teacher | None, log: Log
) -> FoldRun:
    """Build the network with its first weights, its optimizer and its batches."""
    folder, (train_ids, val_ids) = job.folder(fold), job.split(fold)
    folder.path.mkdir(parents=True, exist_ok=True)
    hyper, spec = _hyperparameters(job, device), job.trainer.network_spec(job.plan)
    torch.manual_seed(hyper.seed)
    network = build_network(spec)
    started_from = first_weights(job, network, folder, log=log)
    choose_trained(network, hyper)
    if freezes(hyper) and None in started_from.values():
        log("warning: the frozen part of the encoder has random weights; load trained ones with --weights")
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    log(
        f"fold {fold}: {spec.name}, {_size(network)}, input {job.frame}, {hyper.precision} on {device}; "
        f"{len(train_ids)} images to train on, {len(val_ids)} to validate on"
    )
    if getattr(network, "takes_points", False):
        log(f"prompts: {ORACLE}")
    training = training_batches(job, train_ids, teacher=teacher)
    return FoldRun(
        trainer=job.trainer,
        network=network,
        loss=job.trainer.loss(job.plan).to(device),
        optimizer=job.trainer.optimizer(network, job.plan),
        training=training,
        validation=replace(training, cases=val_ids, ranges=None, teacher=None) if val_ids else None,
        model=_described(
            job, fold, hyper=hyper, spec=spec, device=device, teacher=teacher, started_from=started_from
        ),
        folder=folder,
        device=device,
        teacher=teacher,
        feature_bytes=job.share_of_memory(FEATURES_SHARE),
    )


def _described(
    job: CrossValidation,
    fold: str,
    *,
    hyper: Hyperparameters,
    spec: NetworkSpec,
    device: torch.device,
    teacher: Teacher | None,
    started_from: dict[str, str | None],
) -> ModelDescription:
    return ModelDescription(
        trainer=job.trainer_name,
        network=spec,
        configuration=replace(job.configuration, hyperparameters=hyper),
        dataset=job.plan.dataset,
        cache_long_side_px=job.plan.cache_long_side_px,
        variant=job.options.variant,
        fold=fold,
        run=run_info(
            trainer=source_of(find(TRAINERS, job.trainer_name)),
            seed=hyper.seed,
            device=str(device),
            started_from=started_from,
        ),
        teacher="" if teacher is None else teacher.name,
    )


def _hyperparameters(job: CrossValidation, device: torch.device) -> Hyperparameters:
    """Return the configuration's hyperparameters, in a precision that the device supports."""
    hyper = job.configuration.hyperparameters
    if device.type == "cpu" and hyper.precision == "float16":
        return replace(hyper, precision=choose_precision(device))
    return hyper


def _clear(job: CrossValidation, folder: FoldFolder) -> None:
    """Delete what this training replaces: everything with ``restart``, else the mark of a finished fold."""
    if job.options.restart:
        for path in (folder.latest, folder.best, folder.log, folder.summary):
            path.unlink(missing_ok=True)
    folder.finished.unlink(missing_ok=True)
    remove_leftovers(folder.path)


def _size(network: nn.Module) -> str:
    num_all, num_training = num_parameters(network), num_trained(network)
    trained = f" ({num_training / 1e6:.2f} M train)" if num_training < num_all else ""
    return f"{num_all / 1e6:.2f} M parameters{trained}"


class _Figure:
    """Draw progress.png after an epoch, at most once per ``FIGURE_EVERY_S``."""

    def __init__(self, path: Path) -> None:
        self._path, self._next_s = path, time.monotonic() + FIGURE_EVERY_S

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        if time.monotonic() >= self._next_s:
            progress_figure(rows, self._path)
            self._next_s = time.monotonic() + FIGURE_EVERY_S
