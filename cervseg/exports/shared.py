"""A model folder for sharing: float16 weights as safetensors, half the size of the checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from cervseg.core.errors import CervsegError
from cervseg.core.folders import FoldFolder, ModelFolder
from cervseg.networks.checkpoint import SHARED_SUFFIX, read_checkpoint, write_shared


def export_shared(model: ModelFolder, folds: Sequence[FoldFolder], target: Path) -> list[Path]:
    """Copy a model without its training state: one safetensors file per fold, with plan and dataset.

    The copy is a model folder itself, for ``cervseg_predict -m``.

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
        write_shared(file, read_checkpoint(fold.weights))
        written.append(file)
    copy = ModelFolder(target)
    for here, there in ((model.plan, copy.plan), (model.dataset, copy.dataset), (model.card, copy.card)):
        if here.is_file():
            shutil.copyfile(here, there)
    return written
