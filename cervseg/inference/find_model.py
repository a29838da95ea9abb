"""Which model folder a user means."""

from __future__ import annotations

from pathlib import Path

from cervseg.core.errors import CheckpointError
from cervseg.core.jsonio import read_json, write_json
from cervseg.core.paths import ModelFolder, Workspace


def find_model(
    workspace: Workspace,
    *,
    model: Path | None = None,
    dataset: str | None = None,
    trainer: str | None = None,
    variant: str = "original",
) -> Path:
    """The model folder that a user means: the named one, else the chosen default, else the last trained.

    Raises:
        CheckpointError: there is none.
    """
    if model is not None:
        if not model.is_dir():
            raise CheckpointError("no such model folder", where=model)
        return model
    if dataset is not None or trainer is not None:
        return _named_model(workspace, dataset, trainer, variant)
    for memory in (workspace.default_model_file, workspace.last_model_file):
        if memory.is_file():
            # An absolute path replaces the folder before it: a default model may lie anywhere.
            found = workspace.results / str(read_json(memory, error=CheckpointError)["model"])
            if found.is_dir():
                return found
    raise CheckpointError(
        "no model has been trained in this workspace",
        where=workspace.root,
        hint="Train one with cervseg_train, or name a model folder with -m.",
    )


def _named_model(workspace: Workspace, dataset: str | None, trainer: str | None, variant: str) -> Path:
    folder = workspace.results / workspace.dataset_name(dataset) if dataset is not None else workspace.results
    pattern = f"{trainer or '*'}__plans__{variant}"
    found = sorted(folder.glob(pattern if dataset is not None else f"*/{pattern}"))
    if len(found) == 1:
        return found[0]
    have = ", ".join(path.name for path in found)
    raise CheckpointError(
        "more than one model fits" if found else "no such model",
        where=folder,
        hint=f"There are: {have}. Name one with -d and -tr." if found else "Train it with cervseg_train.",
    )


def remember_last(workspace: Workspace, model: ModelFolder) -> None:
    """Note the model that was trained last."""
    write_json(workspace.last_model_file, {"model": str(model.path.relative_to(workspace.results))})


def remember_default(workspace: Workspace, model: Path) -> None:
    """Note the model to predict with where none is named; it may lie anywhere."""
    write_json(workspace.default_model_file, {"model": str(model.resolve())})
