"""A model folder for sharing: float16 weights as safetensors, half the size of the checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cervseg.core.errors import CervsegError
from cervseg.core.folders import FoldFolder, ModelFolder
from cervseg.core.jsonio import read_json, write_json
from cervseg.networks.checkpoint import SHARED_SUFFIX, Checkpoint, read_checkpoint, write_shared


def export_shared(model: ModelFolder, folds: Sequence[FoldFolder], target: Path) -> list[Path]:
    """Copy a model without its training state: one safetensors file per fold, with plan and dataset.

    The copy is a model folder itself, for ``cervseg_predict -m``. Names of cases and patients are left out.

    Args:
        model: the model.
        folds: the folds to copy; each has a checkpoint.
        target: the folder to create; its name becomes the model's name.

    Returns:
        The files with weights.

    Raises:
        CervsegError: the folder exists.
        CheckpointError: a checkpoint is broken.
    """
    if target.exists():
        raise CervsegError("the folder exists", where=target, hint="Choose a new name, or remove it.")
    written = []
    for fold in folds:
        file = ModelFolder(target).fold(fold.fold).shared
        assert file.suffix == SHARED_SUFFIX
        file.parent.mkdir(parents=True)
        write_shared(file, _without_cases(read_checkpoint(fold.weights)))
        written.append(file)
    copy = ModelFolder(target)
    if model.card.is_file():
        shutil.copyfile(model.card, copy.card)
    if model.plan.is_file():
        plan = read_json(model.plan)
        if isinstance(plan, dict) and isinstance(plan.get("dataset"), dict):
            plan["dataset"] |= _NO_CASES
        write_json(copy.plan, plan)
    return written


_NO_CASES: dict[str, dict[str, str]] = {"groups": {}, "spacing_mm": {}}


def _without_cases(checkpoint: Checkpoint) -> Checkpoint:
    dataset = replace(checkpoint.model.dataset, groups={}, spacing_mm={})
    return replace(checkpoint, model=replace(checkpoint.model, dataset=dataset))
