"""Models that come with the package, trained on synthetic radiographs alone; see their model cards."""

from __future__ import annotations

from pathlib import Path

from cervseg.core.folders import ModelFolder

DEFAULT = "spinous"
_HERE = Path(__file__).resolve().parent


def shipped_models() -> dict[str, ModelFolder]:
    """List the shipped models that are present, by name."""
    folders = (ModelFolder(path) for path in sorted(_HERE.iterdir()) if path.is_dir())
    return {folder.name: folder for folder in folders if folder.trained_folds()}


def is_shipped(model: Path) -> bool:
    """Is this model folder one of the package's own?"""
    return model.resolve().parent == _HERE


def about(model: Path) -> str:
    """Return the first sentence of a shipped model's card: what the model is, in one line."""
    lines = ModelFolder(model).card.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line and not line.startswith("#"))
