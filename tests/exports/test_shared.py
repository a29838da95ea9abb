"""Models for sharing: half the size, the same masks, refused where broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cervseg.core.errors import CervsegError, CheckpointError
from cervseg.core.folders import ModelFolder
from cervseg.core.types import RunInfo
from cervseg.exports.shared import export_shared
from cervseg.inference.predictor import Predictor
from cervseg.networks.checkpoint import ModelDescription, read_checkpoint
from cervseg.testing import Trial
from cervseg.training.checkpoint import save_best


@pytest.fixture
def model(tmp_path: Path) -> ModelFolder:
    """A model folder with one fold of a fresh network and a plan."""
    trial = Trial.make("UNetTrainer")
    torch.manual_seed(0)
    folder = ModelFolder(tmp_path / "Dataset001_A" / "UNetTrainer__plans__original")
    description = ModelDescription(
        trainer=trial.name,
        network=trial.trainer.network_spec(trial.plan),
        configuration=trial.trainer.configured(trial.plan),
        dataset=replace(trial.plan.dataset, groups={"case_7": "patient_3"}),
        cache_long_side_px=trial.plan.cache_long_side_px,
        variant="original",
        fold="0",
        run=RunInfo(versions={}, seed=0, commit="", device="cpu", date=""),
    )
    folder.fold(0).path.mkdir(parents=True)
    save_best(folder.fold(0).best, description, network=trial.network().eval(), epoch=3, dice=0.5)
    plan = {"preset": "default", "dataset": {"name": "A", "groups": {"case_7": "patient_3"}}}
    folder.plan.write_text(json.dumps(plan))
    return folder


def test_the_copy_predicts_the_same_at_half_the_size(model: ModelFolder, tmp_path: Path) -> None:
    """Probabilities differ by the rounding to float16; the description is kept, but not names of cases."""
    target = tmp_path / "shared"
    (written,) = export_shared(model, model.trained_folds(), target)
    assert written.stat().st_size < 0.6 * model.fold(0).best.stat().st_size
    before, after = read_checkpoint(model.fold(0).best), read_checkpoint(written)
    assert (after.epoch, after.dice) == (before.epoch, before.dice)
    assert before.model.dataset.groups == {"case_7": "patient_3"}
    dataset = replace(before.model.dataset, groups={}, spacing_mm={})
    assert after.model == replace(before.model, dataset=dataset)
    assert json.loads(ModelFolder(target).plan.read_text()) == {
        "preset": "default",
        "dataset": {"name": "A", "groups": {}, "spacing_mm": {}},
    }
    for path in target.rglob("*"):
        assert path.is_dir() or b"patient_3" not in path.read_bytes()
    image = np.random.default_rng(0).integers(0, 255, (90, 70), dtype=np.uint8)
    given, copied = (
        Predictor.from_folder(path, device="cpu", precision="float32").predict(image).probabilities
        for path in (model.path, target)
    )
    np.testing.assert_allclose(copied, given, atol=5e-3)
    assert not np.array_equal(copied, given)  # the copy was read, not the original


def test_statistics_stay_exact(model: ModelFolder, tmp_path: Path) -> None:
    """Vectors are not rounded: a variance of 1e6 does not fit float16."""
    (written,) = export_shared(model, model.trained_folds(), tmp_path / "shared")
    before, after = read_checkpoint(model.fold(0).best), read_checkpoint(written)
    for name, value in before.state_dict.items():
        assert after.state_dict[name].dtype == value.dtype
        if value.ndim < 2:
            assert torch.equal(after.state_dict[name], value)


def test_broken_files_and_taken_names(model: ModelFolder, tmp_path: Path) -> None:
    """A truncated file, another safetensors file, a missing one, a folder that exists."""
    (written,) = export_shared(model, model.trained_folds(), tmp_path / "shared")
    with pytest.raises(CervsegError, match="exists"):
        export_shared(model, model.trained_folds(), tmp_path / "shared")
    written.write_bytes(written.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="truncated"):
        read_checkpoint(written)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, written)
    with pytest.raises(CheckpointError, match="not a cervseg model"):
        read_checkpoint(written)
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint(tmp_path / "nothing.safetensors")
