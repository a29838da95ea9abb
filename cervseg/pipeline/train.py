"""From a plan and a cache to trained, validated and summarized folds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cervseg.core.log import Log, quiet
from cervseg.core.paths import ModelFolder, Workspace
from cervseg.crossval.fold import train_fold
from cervseg.crossval.run import CrossValidation, TrainOptions
from cervseg.crossval.validation import summarize_folds
from cervseg.inference.find_model import remember_last


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

    Finished folds are skipped and unfinished folds are resumed.

    Args:
        dataset: 1, "001" or "Dataset001_Name".
        trainer: a registered name, see :func:`cervseg.list_trainers`.
        workspace: by default ``$CERVSEG_ROOT``, else the current folder.
        folds: numbers, or "all" for one network on every case; by default every fold of the splits.
        variant: of the dataset: "original", "clahe", "augmented".
        settings: name -> value, overrule the plan: ``{"epochs": "5"}``.
        max_time_s: bounds this call, validation included; the folds share it.
        device: "cpu", "cuda", "cuda:1", "mps"; by default the best there is.
        weights: a file of initial weights.
        from_scratch: start from random weights even where pretrained ones are available.
        teacher: a model folder to distill from.
        resume: train finished folds further, with more epochs or time.
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
    name = workspace.dataset_name(dataset)
    deadline = None if max_time_s is None else time.monotonic() + max_time_s
    run = CrossValidation.make(name, trainer, workspace=workspace, options=options)
    run.describe()
    todo = []
    for fold in run.wanted_folds(folds):
        if run.is_finished(fold) and not (resume or restart):
            log(f"fold {fold} is finished; skipped")
        else:
            todo.append(fold)
    for position, fold in enumerate(todo):
        left_s = None if deadline is None else (deadline - time.monotonic()) / (len(todo) - position)
        train_fold(run, fold, max_time_s=left_s, log=log)
    summarize_folds(run, log=log)
    remember_last(workspace, run.model)
    return run.model
