"""From a model to one ONNX file, or to a folder for sharing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cervseg.core.folders import FoldFolder, ModelFolder
from cervseg.core.log import Log, quiet
from cervseg.core.paths import Workspace
from cervseg.exports.onnx import OnnxExport, export_onnx
from cervseg.exports.shared import export_shared
from cervseg.inference.find_model import find_model
from cervseg.inference.predictor import checkpoint_files


def export(
    output: str | Path,
    *,
    model: str | Path | None = None,
    workspace: Workspace | None = None,
    folds: Sequence[str | int] | None = None,
    log: Log = quiet,
) -> OnnxExport:
    """Write the mean of a model's networks as one ONNX file, and compare it with them.

    Args:
        output: the file to write.
        model: a model folder; by default the one that the workspace trained last.
        workspace: by default ``$CERVSEG_ROOT``, else the current folder.
        folds: folds to average; by default all that are trained.
        log: called with each message.

    Raises:
        CheckpointError: the model has no such fold.
        CervsegError: the network cannot be exported to ONNX.
    """
    folder = find_model(workspace or Workspace.find(), model=None if model is None else Path(model))
    files = checkpoint_files(folder, folds=folds)
    written = export_onnx(files, Path(output))
    for name, shape in written.inputs.items():
        log(f"input {name}: {' x '.join(map(str, shape))}")
    log(f"{len(files)} network(s); ONNX Runtime agrees with them within {written.difference:.0e}")
    log(f"written: {output}")
    return written


def share(
    output: str | Path,
    *,
    model: str | Path | None = None,
    workspace: Workspace | None = None,
    folds: Sequence[str | int] | None = None,
    log: Log = quiet,
) -> ModelFolder:
    """Write a model as a folder for sharing: float16 weights, without the state of the training.

    Args:
        output: the folder to create.
        model: a model folder; by default the one that the workspace trained last.
        workspace: by default ``$CERVSEG_ROOT``, else the current folder.
        folds: folds to copy; by default all that are trained.
        log: called with each message.

    Raises:
        CheckpointError: the model has no such fold.
        CervsegError: the folder exists.
    """
    folder = find_model(workspace or Workspace.find(), model=None if model is None else Path(model))
    files = checkpoint_files(folder, folds=folds)
    for written in export_shared(
        ModelFolder(folder), [FoldFolder(file.parent) for file in files], Path(output)
    ):
        log(f"written: {written} ({written.stat().st_size / 1e6:.1f} MB)")
    return ModelFolder(Path(output))
