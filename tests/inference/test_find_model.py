from pathlib import Path

import pytest

from cervseg.core.errors import CheckpointError
from cervseg.core.folders import ModelFolder
from cervseg.core.paths import Workspace
from cervseg.inference.find_model import find_model, remember_default, remember_last
from cervseg.shipped import is_shipped


def make(root: Path, *names: str) -> tuple[Workspace, list[Path]]:
    models = [root / "results" / "Dataset001_A" / f"{name}__plans__original" for name in names]
    for model in models:
        model.mkdir(parents=True)
    return Workspace.find(root), models


def test_the_last_one_trained_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shipped, or none; the last trained before it; the declared default; a named one before all."""
    workspace, (first, second) = make(tmp_path, "UNetTrainer", "CervSpineNetTrainer")
    assert is_shipped(find_model(workspace))
    monkeypatch.setattr("cervseg.inference.find_model.shipped_models", dict)
    with pytest.raises(CheckpointError, match="no model has been trained"):
        find_model(workspace)
    remember_last(workspace, ModelFolder(second))
    assert find_model(workspace) == second
    remember_default(workspace, first)
    assert find_model(workspace) == first
    assert find_model(workspace, model=second) == second
    assert find_model(workspace, dataset="1", trainer="CervSpineNetTrainer") == second


def test_an_ambiguous_or_missing_name_lists_what_there_is(tmp_path: Path) -> None:
    """Two models of one dataset: the error names them; none of a trainer: it says to train."""
    workspace, _ = make(tmp_path, "UNetTrainer", "CervSpineNetTrainer")
    with pytest.raises(CheckpointError, match="UNetTrainer__plans__original"):
        find_model(workspace, dataset="1")
    with pytest.raises(CheckpointError, match="cervseg_train"):
        find_model(workspace, dataset="1", trainer="SAMTrainer")
    with pytest.raises(CheckpointError, match="no such model folder"):
        find_model(workspace, model=tmp_path / "nowhere")
