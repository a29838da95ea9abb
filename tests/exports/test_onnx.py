"""Models as ONNX files: run by ONNX Runtime beside the networks that they were made from."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from cervseg.cli import export
from cervseg.core.errors import CervsegError, CheckpointError
from cervseg.core.registry import TRAINERS, available
from cervseg.core.types import RunInfo
from cervseg.exports.onnx import METADATA, export_onnx
from cervseg.networks.checkpoint import ModelDescription
from cervseg.testing import Trial
from cervseg.training.checkpoint import save_best


def save(trial: Trial, path: Path, *, seed: int = 0) -> torch.nn.Module:
    """A model folder's checkpoint of a fresh network; the network is returned."""
    torch.manual_seed(seed)
    network = trial.network().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    model = ModelDescription(
        trainer=trial.name,
        network=trial.trainer.network_spec(trial.plan),
        configuration=trial.trainer.configured(trial.plan),
        dataset=trial.plan.dataset,
        cache_long_side_px=trial.plan.cache_long_side_px,
        variant="original",
        fold="0",
        run=RunInfo(versions={}, seed=0, commit="", device="cpu", date=""),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_best(path, model, network=network, epoch=0, dice=None)
    return network


def answer(file: Path, **inputs: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]
    return found


def test_folds_are_averaged_and_described(tmp_path: Path) -> None:
    """The mean of two networks' probabilities, on an image that the export has not seen; two labels.

    The file's metadata hold labels, frame and normalization.
    """
    trial = Trial.make("UNetTrainer", num_labels=2)
    files = [tmp_path / f"fold_{k}" / "checkpoint_best.pt" for k in range(2)]
    networks = [save(trial, path, seed=k) for k, path in enumerate(files)]
    made = export_onnx(files, tmp_path / "model.onnx")
    image = trial.batch.image_BCHW[1:]
    assert made.inputs == {"image": tuple(image.shape)}
    with torch.no_grad():
        first, second = (network(image).sigmoid() for network in networks)
    assert float((first - second).abs().max()) > 1e-2
    expected = ((first + second) / 2).numpy()
    np.testing.assert_allclose(answer(tmp_path / "model.onnx", image=image), expected, atol=1e-5)

    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
    configuration = trial.trainer.configured(trial.plan)
    assert (about["labels"], about["auxiliary"]) == (trial.plan.dataset.labels, [])
    assert tuple(about["input_size"]) == configuration.input_size
    assert (about["resize"], about["normalization"]) == (configuration.resize, configuration.normalization)
    assert about["notice"] == "Research software, not a medical device."


# One trainer for each network; those of U-Net and SAM are exported in other tests.
EXPORTED = [
    name
    for name in available(TRAINERS)
    if not re.fullmatch("UNetTrainer|SAMTrainer|CervSpineNetDice.*Trainer", name)
]


@pytest.mark.parametrize("trainer", EXPORTED)
def test_every_trainers_network_is_exported(trainer: str, tmp_path: Path) -> None:
    """The export itself compares the file's answer with the network's."""
    save(Trial.make(trainer), tmp_path / "checkpoint_best.pt")
    assert export_onnx([tmp_path / "checkpoint_best.pt"], tmp_path / "model.onnx").difference < 1e-4
    assert (tmp_path / "model.onnx").is_file()


def test_a_mask_for_each_point(tmp_path: Path) -> None:
    """A promptable network takes any number of points, and gives each its mask."""
    trial = Trial.make("SAMTrainer")
    network = save(trial, tmp_path / "checkpoint_best.pt")
    made = export_onnx([tmp_path / "checkpoint_best.pt"], tmp_path / "sam.onnx")
    assert made.inputs["points"] == ("num_points", 2)
    image = trial.batch.image_BCHW[:1]
    for points in (torch.tensor([[20.0, 30.0]]), torch.rand(5, 2) * 90):
        planes = torch.cat([points, torch.zeros(len(points), 1)], dim=1)
        with torch.no_grad():
            expected = network.prompt_logits(image, [planes]).sigmoid().numpy()  # type: ignore[operator]
        found = answer(tmp_path / "sam.onnx", image=image, points=points)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a model folder to a file; a wrong name and a missing folder are told before any work."""
    model = tmp_path / "Dataset001_Tiny" / "UNetTrainer__plans__original"
    save(Trial.make("UNetTrainer"), model / "fold_0" / "checkpoint_best.pt")
    target = tmp_path / "model.onnx"
    assert export.main(["-m", str(model), "-o", str(target)]) == 0
    assert "input image: 1 x 1 x 128 x 96" in capsys.readouterr().out
    assert target.is_file()
    assert export.main(["-m", str(model), "-o", str(tmp_path / "model.pt")]) == 2
    assert "End the name in .onnx" in capsys.readouterr().err
    assert export.main(["-m", str(model), "-o", str(tmp_path / "none" / "model.onnx")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert export.main(["-m", str(model), "-f", "3", "-o", str(target)]) == 2
    assert "no checkpoint_best.pt in fold_3" in capsys.readouterr().err


def test_what_cannot_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no checkpoint, and a machine without ONNX Runtime; nothing is left behind."""
    (tmp_path / "checkpoint_best.pt").write_bytes(b"no")
    with pytest.raises(CheckpointError):
        export_onnx([tmp_path / "checkpoint_best.pt"], tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CervsegError, match=r"pip install 'cervseg\[onnx\]'"):
        export_onnx([tmp_path / "checkpoint_best.pt"], tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_best.pt"]


def test_an_answer_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ONNX Runtime computes is compared before the file gets its name."""
    save(Trial.make("UNetTrainer"), tmp_path / "checkpoint_best.pt")
    original = onnxruntime.InferenceSession

    class Wrong:
        def __init__(self, *given: object, **named: object) -> None:
            self._session = original(*given, **named)

        def run(self, *given: object) -> list[np.ndarray]:
            return [found + 0.01 for found in self._session.run(*given)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Wrong)
    with pytest.raises(CervsegError, match=r"probabilities differ by 0\.01"):
        export_onnx([tmp_path / "checkpoint_best.pt"], tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
