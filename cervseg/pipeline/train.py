"""Train, validate and summarize the folds of a model."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cervseg.core.errors import CheckpointError
from cervseg.core.folders import ModelFolder
from cervseg.core.log import Log, quiet
from cervseg.core.paths import Workspace
from cervseg.crossval.fold import train_fold
from cervseg.crossval.run import CrossValidation, TrainOptions
from cervseg.crossval.status import FoldState
from cervseg.crossval.validation import summarize_folds, validate_fold
from cervseg.inference.find_model import remember_last

_logger = logging.getLogger(__name__)


def train(
    dataset: str | int,
    trainer: str,
    *,
    workspace: Workspace | None = None,
    folds: Sequence[str | int] | None = None,
    variant: str = "original",
    settings: Mapping[str, str] | None = None,
    max_time_s: float | None = None,
    device: str | None = None,
    weights: str | Path | None = None,
    from_scratch: bool = False,
    teacher: str | Path | None = None,
    resume: bool = False,
    restart: bool = False,
    log: Log = quiet,
) -> ModelFolder:
    """Train the folds of a trainer, validate each at the images' own size, and summarize.

    Finished folds are skipped, unfinished folds are resumed. A fold that its time limit stopped is finished.

    Args:
        dataset: 1, "001" or "Dataset001_Name".
        trainer: a registered name, see :func:`cervseg.list_trainers`.
        workspace: by default ``$CERVSEG_ROOT``, else the current folder.
        folds: numbers, or "all" for one network on every case; by default every fold of the splits.
        variant: of the dataset: "original", "clahe", "augmented".
        settings: name -> value, overrule the plan: ``{"epochs": "5"}``.
        max_time_s: limit for this call, validation included, shared by its folds; earlier calls do not
            count.
        device: "cpu", "cuda", "cuda:1", "mps"; by default the best available one.
        weights: a file of initial weights.
        from_scratch: start from random weights even where pretrained ones are available.
        teacher: a model folder to distill from.
        resume: train finished folds further, with more epochs or time; see
            :func:`cervseg.training.schedule.set_learning_rate` for the learning rate.
        restart: discard checkpoints and retrain.
        log: called with each message.

    Returns:
        The folder of the model.

    Raises:
        CervsegError: the plan, the cache, a setting or a checkpoint is missing or invalid.
    """
    workspace = workspace or Workspace.find()
    options = TrainOptions(
        variant=variant,
        settings=settings or {},
        device=device,
        weights=None if weights is None else Path(weights),
        from_scratch=from_scratch,
        teacher=None if teacher is None else Path(teacher),
        restart=restart,
    )
    deadline_s = None if max_time_s is None else time.monotonic() + max_time_s
    name = workspace.dataset_name(dataset)
    run = CrossValidation.make(name, trainer, workspace=workspace, options=options)
    run.describe()
    todo = _unfinished(run, run.wanted_folds(folds), resume=resume, log=log)
    for position, fold in enumerate(todo):
        left_s = None if deadline_s is None else (deadline_s - time.monotonic()) / (len(todo) - position)
        start_s = time.monotonic()
        train_fold(run, fold, max_time_s=left_s, log=log)
        _logger.info("fold %s: trained and validated in %.1f s", fold, time.monotonic() - start_s)
        status = run.status(fold)
        log(f"{status}; {status.hint}" if status.state is FoldState.STOPPED_BY_TIME else f"{status}")
    summarize_folds(run, log=log)
    remember_last(workspace, run.model)
    return run.model


def validate(
    dataset: str | int,
    trainer: str,
    *,
    workspace: Workspace | None = None,
    folds: Sequence[str | int] | None = None,
    variant: str = "original",
    settings: Mapping[str, str] | None = None,
    device: str | None = None,
    log: Log = quiet,
) -> ModelFolder:
    """Predict and score the validation images of trained folds again; nothing is trained.

    Args:
        dataset: 1, "001" or "Dataset001_Name".
        trainer: a registered name.
        workspace: by default ``$CERVSEG_ROOT``, else the current folder.
        folds: numbers; by default every trained fold.
        variant: of the dataset.
        settings: name -> value; only ``seed`` matters: it names the model folder.
        device: "cpu", "cuda", "cuda:1", "mps"; by default the best available one.
        log: called with each message.

    Returns:
        The folder of the model.

    Raises:
        CheckpointError: a fold is not trained.
        CervsegError: the plan, the cache or a checkpoint is missing or invalid.
    """
    workspace = workspace or Workspace.find()
    options = TrainOptions(variant=variant, settings=settings or {}, device=device)
    name = workspace.dataset_name(dataset)
    run = CrossValidation.make(name, trainer, workspace=workspace, options=options)
    wanted = run.wanted_folds(folds)
    trained = [fold for fold in wanted if run.folder(fold).best.is_file() and run.split(fold)[1]]
    if not trained or (folds is not None and trained != wanted):
        missing = next((fold for fold in wanted if fold not in trained), "")
        raise CheckpointError(
            f"fold {missing} has no checkpoint to validate",
            where=run.model.path,
            hint="Train it first, without --val",
        )
    for fold in trained:
        validate_fold(run, fold, log=log)
    summarize_folds(run, log=log)
    return run.model


def _unfinished(run: CrossValidation, folds: Sequence[str], *, resume: bool, log: Log) -> list[str]:
    """Select the folds that are left to train, and log the state of the others."""
    todo = []
    for fold in folds:
        status = run.status(fold)
        if status.is_finished and not (resume or run.options.restart):
            log(f"{status}; skipped ({status.hint})")
            continue
        todo.append(fold)
        if status.state is not FoldState.UNTRAINED and not run.options.restart:
            log(f"{status}; resuming")
    return todo
