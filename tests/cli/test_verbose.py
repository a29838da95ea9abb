"""The log of --verbose: files, reasons and times of the stages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cervseg.cli import plan_and_preprocess, predict, train
from cervseg.testing import tiny_dataset

TINY = ["input_size=64x64", "features=2", "epochs=1", "batch_size=2", "num_workers=1"]


def logged(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The log's lines without their times of day."""
    lines = capsys.readouterr().err.splitlines()
    return [line[9:] for line in lines if re.match(r"\d\d:\d\d:\d\d ", line)]


def test_every_stage_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Planning, training and prediction name what they read and write, and how long they take."""
    name = "Dataset001_Tiny"
    folder = tiny_dataset(tmp_path / "raw_data" / name, num=5)
    root = ["--root", str(tmp_path), "--verbose"]
    assert plan_and_preprocess.main(["1", "--workers", "1", *root]) == 0
    plan = logged(capsys)
    assert f"read {folder / 'dataset.json'}" in plan
    assert f"wrote {tmp_path / 'plans' / name / 'plans.json'}" in plan
    assert any(re.fullmatch(r"verify: 5 cases in \d+\.\d s, 1 worker\(s\), 0 failed", line) for line in plan)
    where = ["--device", "cpu", *root]
    assert train.main(["1", "UNetTrainer", "-f", "0", *where, "--set", *TINY]) == 0
    model = tmp_path / "results" / name / "UNetTrainer__plans__original"
    lines = logged(capsys)
    assert f"wrote {model / 'fold_0' / 'checkpoint_best.pt'}" in lines
    assert any(re.fullmatch(r"fold 0: trained and validated in \d+\.\d s", line) for line in lines)
    images = ["-i", str(folder / "imagesTr"), "-o", str(tmp_path / "masks")]
    assert predict.main([*images, *where]) == 0
    lines = logged(capsys)
    assert any(line.startswith(f"loaded {model / 'fold_0' / 'checkpoint_best.pt'} in ") for line in lines)
    assert any(re.fullmatch(r"predicted 5 image\(s\), \d+\.\d\d s per image", line) for line in lines)
