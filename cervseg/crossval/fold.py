"""One fold of a model: train it, then validate it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cervseg.core.jsonio import read_dataclass, write_json
from cervseg.core.log import Log
from cervseg.core.paths import remove_leftovers
from cervseg.core.provenance import run_info
from cervseg.core.registry import TRAINERS, find, source_of
from cervseg.core.types import Hyperparameters
from cervseg.crossval.run import CrossValidation
from cervseg.crossval.setup import find_teacher, first_weights, training_batches
from cervseg.crossval.validation import validate_fold, validation_time_s
from cervseg.figures.training import progress_figure
from cervseg.inference.prompt_source import ORACLE
from cervseg.networks.base import build_network, num_parameters
from cervseg.networks.device import choose_device, choose_precision
from cervseg.training.checkpoint import model_content
from cervseg.training.engine import FitResult, fit
from cervseg.training.freezing import choose_trained, freezes, num_trained
from cervseg.training.logbook import Logbook
from cervseg.training.trainer import RANDOM

FEATURES_SHARE = 0.25  # of the memory, for the features of a frozen encoder
FIGURE_EVERY_S = 60.0


def train_fold(job: CrossValidation, fold: str, *, max_time_s: float | None, log: Log) -> None:
    """Train one fold inside ``max_time_s``, validation of its images included."""
    started = time.monotonic()
    folder, (train_ids, val_ids) = job.folder(fold), job.split(fold)
    device = choose_device(job.options.device)
    teacher = find_teacher(job, fold, device=device, log=log)
    folder.path.mkdir(parents=True, exist_ok=True)
    hyper = _hyperparameters(job, device)
    torch.manual_seed(hyper.seed)
    spec = job.trainer.network_spec(job.plan)
    network = build_network(spec)
    started_from = first_weights(job, network, folder, log=log)
    choose_trained(network, hyper)
    if freezes(hyper) and RANDOM in started_from.values():
        log("note: what is frozen of the encoder has random weights; --weights names a file of better ones")
    # Nothing of a former run is deleted before this one is known to be possible.
    before_s = _clear(job, fold)
    if max_time_s is not None:
        max_time_s += before_s
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    log(
        f"fold {fold}: {spec.name}, {_size(network)}, input {job.frame}, {hyper.precision} on {device}; "
        f"{len(train_ids)} images to train on, {len(val_ids)} to validate"
    )
    if getattr(network, "takes_points", False):
        log(f"prompts: {ORACLE}")
    training = training_batches(job, train_ids, teacher=teacher)
    validation = replace(training, cases=val_ids, ranges=None, teacher=None) if val_ids else None
    model = model_content(
        trainer=job.trainer_name,
        plan=job.plan,
        configuration=replace(job.configuration, hyperparameters=hyper),
        spec=spec,
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
    if max_time_s is not None:
        reserve_s = validation_time_s(
            job.trainer, network, training, num_images=len(val_ids), hyper=hyper, device=device
        )
        max_time_s = max(1.0, max_time_s - (time.monotonic() - started) - reserve_s)
    result = fit(
        job.trainer,
        network=network,
        loss=job.trainer.loss(job.plan).to(device),
        optimizer=job.trainer.optimizer(network, job.plan),
        hyper=hyper,
        training=training,
        validation=validation,
        model=model,
        folder=folder,
        device=device,
        label=f"{job.trainer_name} fold {fold}",
        teacher=teacher,
        feature_bytes=job.share_of_memory(FEATURES_SHARE),
        max_time_s=max_time_s,
        on_epoch=_Figure(folder.progress_figure),
        log=log,
    )
    progress_figure(Logbook(path=folder.log).rows(), folder.progress_figure)
    if val_ids:
        validate_fold(job, fold, log=log)
    write_json(folder.finished, result)


def _hyperparameters(job: CrossValidation, device: torch.device) -> Hyperparameters:
    """The configuration's, in a precision that the device has."""
    hyper = job.configuration.hyperparameters
    if device.type == "cpu" and hyper.precision == "float16":
        return replace(hyper, precision=choose_precision(device))
    return hyper


def _clear(job: CrossValidation, fold: str) -> float:
    """Take away what this run makes anew; returns the seconds that a finished fold was trained before."""
    folder, before_s = job.folder(fold), 0.0
    if job.options.restart:
        for path in (folder.latest, folder.best, folder.log, folder.finished, folder.summary):
            path.unlink(missing_ok=True)
    remove_leftovers(folder.path)
    if job.is_finished(fold):  # only --continue trains a finished fold: its time comes on top of what it had
        before_s = read_dataclass(FitResult, folder.finished).elapsed_s
        folder.finished.unlink()
    return before_s


def _size(network: nn.Module) -> str:
    num_all, num_training = num_parameters(network), num_trained(network)
    trained = f" ({num_training / 1e6:.2f} M train)" if num_training < num_all else ""
    return f"{num_all / 1e6:.2f} M parameters{trained}"


class _Figure:
    """Draws progress.png after an epoch, but not more often than it is worth."""

    def __init__(self, path: Path) -> None:
        self._path, self._next = path, time.monotonic() + FIGURE_EVERY_S

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        if time.monotonic() >= self._next:
            progress_figure(rows, self._path)
            self._next = time.monotonic() + FIGURE_EVERY_S
