"""Selection of the model folder for a prediction."""

from __future__ import annotations

from pathlib import Path

from cervseg.core.errors import CheckpointError
from cervseg.core.folders import ModelFolder
from cervseg.core.jsonio import read_json, write_json
from cervseg.core.paths import Workspace
from cervseg.shipped import DEFAULT, about, is_shipped, shipped_models


def find_model(
    workspace: Workspace,
    *,
    model: Path | None = None,
    dataset: str | None = None,
    trainer: str | None = None,
    variant: str = "original",
) -> Path:
    """Find a model folder: the given one, else the default of the workspace, else the last trained.

    Where nothing was trained, it is the model that comes with the package.

    Args:
        workspace: the workspace.
        model: a model folder, or the name of a shipped model ("spinous").
        dataset: number or name of a dataset, to select among the models of the workspace.
        trainer: name of a trainer, for the same purpose.
        variant: variant of the dataset, with ``dataset`` or ``trainer``.

    Raises:
        CheckpointError: there is no such model, or several.
    """
    if model is not None:
        if model.is_dir():
            return model
        shipped = shipped_models()
        if str(model) in shipped:
            return shipped[str(model)].path
        names = " or ".join(shipped)
        raise CheckpointError(
            "no such model folder", where=model, hint=f"a shipped model is {names}" if names else ""
        )
    if dataset is not None or trainer is not None:
        return _named_model(workspace, dataset, trainer, variant)
    for memory in (workspace.default_model_file, workspace.last_model_file):
        if memory.is_file():
            # A default model may be outside the workspace: joining an absolute path gives that path.
            found = workspace.results / str(read_json(memory, error=CheckpointError)["model"])
            if found.is_dir():
                return found
    if DEFAULT in (shipped := shipped_models()):
        return shipped[DEFAULT].path
    raise CheckpointError(
        "no model has been trained in this workspace",
        where=workspace.root,
        hint="train one with cervseg_train, or select a model folder with -m",
    )


def describe(model: Path) -> str:
    """Describe a model folder in one line: its dataset and name; of a shipped model, what it is."""
    return f"{model.name}: {about(model)}" if is_shipped(model) else f"{model.parent.name}/{model.name}"


def _named_model(workspace: Workspace, dataset: str | None, trainer: str | None, variant: str) -> Path:
    folder = workspace.results / workspace.dataset_name(dataset) if dataset is not None else workspace.results
    pattern = f"{trainer or '*'}__plans__{variant}"
    found = sorted(folder.glob(pattern if dataset is not None else f"*/{pattern}"))
    if len(found) == 1:
        return found[0]
    have = ", ".join(path.name for path in found)
    raise CheckpointError(
        "several models match" if found else "no such model",
        where=folder,
        hint=f"select one of {have} with -d and -tr" if found else "train it with cervseg_train",
    )


def remember_last(workspace: Workspace, model: ModelFolder) -> None:
    """Store which model was trained last."""
    write_json(workspace.last_model_file, {"model": str(model.path.relative_to(workspace.results))})


def remember_default(workspace: Workspace, model: Path) -> None:
    """Store the default model for predictions; it may be outside the workspace."""
    write_json(workspace.default_model_file, {"model": str(model.resolve())})
