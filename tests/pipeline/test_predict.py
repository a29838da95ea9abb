"""cervseg_predict on input that fits the model, and on input that does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cervseg.cli import evaluate
from cervseg.cli import predict as predict_command
from cervseg.core.folders import ModelFolder, PredictionFolder
from cervseg.core.jsonio import to_json
from cervseg.core.types import Case, NetworkSpec
from cervseg.dataset.description import read_description
from cervseg.networks.base import build_network
from cervseg.networks.checkpoint import Checkpoint, write_checkpoint
from cervseg.phantom.radiograph import make_phantom
from cervseg.pipeline.predict import predict
from cervseg.planning.fingerprint import compute_fingerprint
from tests.checkpoints import DATASET, described

SIZE = (64, 64)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a folder of small phantoms."""
    folder = tmp_path_factory.mktemp("images")
    for index in range(5):
        cv2.imwrite(str(folder / f"p{index}.png"), make_phantom(seed=3, index=index, long_side_px=160).pixels)
    return folder


@pytest.fixture(scope="module")
def model(images: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """Write a model with random weights and the fingerprint of the phantoms."""
    folder = ModelFolder(
        tmp_path_factory.mktemp("results") / "Dataset001_Blobs" / "UNetTrainer__plans__original"
    )
    spec = NetworkSpec(name="unet", arguments={"input_size": list(SIZE), "features": 8, "num_levels": 2})
    torch.manual_seed(0)
    network = build_network(spec)
    file = folder.fold(0).best
    file.parent.mkdir(parents=True)
    write_checkpoint(
        file, Checkpoint(model=described(spec), state_dict=network.state_dict(), epoch=0, dice=None)
    )
    cases = [Case(id=path.stem, images=(path,), mask=None, group=path.stem) for path in images.iterdir()]
    fingerprint = compute_fingerprint(cases, labels={"disc": 1}, workers=1, progress=False)
    folder.plan.write_text(json.dumps({"fingerprint": to_json(fingerprint)}))
    return folder


def test_the_output_names_its_labels(images: Path, model: ModelFolder, tmp_path: Path) -> None:
    """dataset.json beside the masks has the labels, and evaluation uses their names."""
    output = PredictionFolder(tmp_path / "masks")
    report = predict(images, output.path, model=model.path, device="cpu", progress=False)
    assert len(report.written) == 5
    assert report.warnings == []
    found = read_description(output.path)
    assert (found.labels, found.num_training) == ({"background": 0, "disc": 1}, 0)
    references = tmp_path / "references"
    references.mkdir()
    for mask in report.written:
        reference = np.zeros_like(cv2.imread(str(mask), cv2.IMREAD_UNCHANGED))
        reference[40:60, 40:60] = 1
        cv2.imwrite(str(references / mask.name), reference)
    summary = tmp_path / "summary.json"
    assert evaluate.main(["-p", str(output.path), "-r", str(references), "-o", str(summary)]) == 0
    assert json.loads(summary.read_text())["labels"] == {"disc": 1}


def test_auxiliary_labels_are_not_named_beside_the_masks(images: Path, tmp_path: Path) -> None:
    """Neither in dataset.json, nor in masks and saved probabilities."""
    spec = NetworkSpec(
        name="unet",
        arguments={"input_size": list(SIZE), "features": 8, "num_levels": 2, "num_labels": 2},
    )
    labels = {**DATASET.labels, "rib": 2}
    model = described(spec, dataset=replace(DATASET, labels=labels, auxiliary=("rib",)))
    folder = ModelFolder(tmp_path / "Dataset001_Blobs" / "UNetTrainer__plans__original")
    folder.fold(0).best.parent.mkdir(parents=True)
    network = build_network(spec)
    write_checkpoint(
        folder.fold(0).best, Checkpoint(model=model, state_dict=network.state_dict(), epoch=0, dice=None)
    )
    output = PredictionFolder(tmp_path / "masks")
    options = {"model": folder.path, "device": "cpu", "save_probabilities": True, "progress": False}
    (mask,) = predict(images / "p0.png", output.path, **options).written
    described_beside = read_description(output.path)
    assert (described_beside.labels, described_beside.auxiliary) == (DATASET.labels, ())
    assert cv2.imread(str(mask), cv2.IMREAD_UNCHANGED).max() <= 1
    assert np.load(mask.with_suffix(".npz"))["probabilities"].shape[0] == 1


def test_a_dataset_json_of_another_origin_is_kept(images: Path, model: ModelFolder, tmp_path: Path) -> None:
    """The output folder may be a part of a dataset; its dataset.json is not replaced."""
    (tmp_path / "dataset.json").write_text("{}")
    predict(images / "p0.png", tmp_path, model=model.path, device="cpu", progress=False)
    assert (tmp_path / "dataset.json").read_text() == "{}"


def test_wrong_input_is_reported(
    images: Path, model: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An inverted and a colour image, empty masks and other files are reported; the exit code stays 0."""
    folder = tmp_path / "images"
    folder.mkdir()
    pixels = cv2.imread(str(images / "p0.png"), cv2.IMREAD_UNCHANGED)
    colours = np.zeros((*pixels.shape, 3), np.uint8)
    colours[..., 2] = pixels
    cv2.imwrite(str(folder / "plain.png"), pixels)
    cv2.imwrite(str(folder / "inverted.png"), 255 - pixels)
    cv2.imwrite(str(folder / "photo.png"), colours)
    (folder / "notes.txt").write_text("no image")
    given = ["-i", str(folder), "-o", str(tmp_path / "masks"), "-m", str(model.path), "--device", "cpu"]
    assert predict_command.main([*given, "--verbose"]) == 0
    printed = capsys.readouterr()
    assert "inverted.png: bright and dark areas" in printed.err
    assert "photo.png: the image is in colour" in printed.err
    warnings = [line for line in printed.err.splitlines() if line.startswith("warning:")]
    assert not [line for line in warnings if "plain.png" in line]
    assert f"skipped: {folder / 'notes.txt'}" in printed.out


def test_empty_masks_are_counted(
    images: Path, model: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network that sees nothing gives empty masks, and their number is printed."""
    blind = ModelFolder(tmp_path / "Dataset001_Blobs" / "UNetTrainer__plans__original")
    file = blind.fold(0).best
    file.parent.mkdir(parents=True)
    spec = NetworkSpec(name="unet", arguments={"input_size": list(SIZE), "features": 8, "num_levels": 2})
    weights = {name: torch.zeros_like(value) for name, value in build_network(spec).state_dict().items()}
    write_checkpoint(file, Checkpoint(model=described(spec), state_dict=weights, epoch=0, dice=None))
    given = ["-i", str(images), "-o", str(tmp_path / "masks"), "-m", str(blind.path), "--device", "cpu"]
    assert predict_command.main(given) == 0
    assert "5 of 5 masks are empty" in capsys.readouterr().out
