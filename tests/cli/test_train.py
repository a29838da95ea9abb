"""cervseg_train: its options and what it logs about the state of folds."""

from __future__ import annotations

import json
import os
import re
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from cervseg.cli import plan_and_preprocess, train
from cervseg.core.folders import FoldFolder
from cervseg.core.jsonio import read_dataclass
from cervseg.training.engine import FitResult
from cervseg.training.trainer import StepResult, Trainer
from tests.shapes import write_blob_dataset

SMALL = [
    "input_size=64x64",
    "batch_size=2",
    "precision=float32",
    "num_workers=1",
    "features=8",
    "num_levels=3",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of a disc, planned and preprocessed."""
    root = tmp_path_factory.mktemp("train")
    write_blob_dataset(root, num=10)
    assert plan_and_preprocess.main(["-d", "1", "--root", str(root)]) == 0
    return root


@pytest.fixture
def fold(root: Path) -> FoldFolder:
    return FoldFolder(root / "results" / "Dataset001_Blobs" / "UNetTrainer__plans__original" / "fold_0")


def run(root: Path, *arguments: str, epochs: int = 2, names: tuple[str, ...] = ("1", "UNetTrainer")) -> int:
    common = ["-f", "0", "--device", "cpu", "--root", str(root), "--set", *SMALL, f"epochs={epochs}"]
    return train.main([*names, *arguments, *common])


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["101", "2d", "0"], "cervseg_train 101 CervSpineNetTrainer -f 0"),
        (["101", "2d", "all"], "cervseg_train 101 CervSpineNetTrainer -f all"),
        (["101", "3d_fullres", "-f", "3"], "cervseg_train 101 CervSpineNetTrainer -f 3"),
        (["1", "UNetTrainer", "2"], "cervseg_train 1 UNetTrainer -f 2"),
    ],
)
def test_the_order_of_nnunet_gets_a_hint(
    argv: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """DATASET CONFIGURATION FOLD: exit code 2 and the command in the order of cervseg."""
    assert train.main(argv) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [["--val", "-c"], ["--val", "--restart"], ["-c", "--restart"]], ids=lambda argv: " ".join(argv)
)
def test_options_that_exclude_each_other(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One error that names both."""
    assert train.main(["1", "UNetTrainer", *argv]) == 2
    error = capsys.readouterr().err
    assert "exclude each other" in error
    assert all(option in error for option in argv)


def test_states_of_a_fold(root: Path, fold: FoldFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """Stopped by time, skipped, continued, complete, skipped, validated again: logged, with what to do."""
    assert (
        run(root, "--restart", "--max-time", "1s", epochs=5000, names=("-d", "1", "-tr", "UNetTrainer")) == 0
    )
    result = read_dataclass(FitResult, fold.finished)
    assert (result.stopped_by_time, result.max_epochs) == (True, 5000)
    state = f"fold 0: stopped by time at epoch {result.epochs} of 5000"
    assert f"{state}; continue with -c, or retrain with --restart" in capsys.readouterr().out
    assert run(root, epochs=5000) == 0
    assert f"{state}; skipped (continue with -c" in capsys.readouterr().out

    further = result.epochs + 1
    assert run(root, "-c", epochs=further) == 0
    said = capsys.readouterr().out
    assert f"{state}; resuming" in said
    assert f"fold 0: complete, {further} epochs" in said
    after = read_dataclass(FitResult, fold.finished)
    assert (after.epochs, after.stopped_by_time) == (further, False)
    assert after.elapsed_s > result.elapsed_s
    assert run(root, epochs=further) == 0
    assert "complete, " in (said := capsys.readouterr().out)
    assert "skipped (train further with -c and more epochs" in said

    weights, summary = fold.best.read_bytes(), fold.summary.read_bytes()
    fold.summary.unlink()
    assert run(root, "--val", epochs=further) == 0
    assert fold.best.read_bytes() == weights
    assert json.loads(fold.summary.read_text())["mean"] == json.loads(summary)["mean"]


def test_a_finished_fold_of_version_0_1(
    root: Path, fold: FoldFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """finished.json without the fields of its state still counts as finished."""
    assert run(root, "--restart", epochs=1) == 0
    old = asdict(read_dataclass(FitResult, fold.finished))
    del old["max_epochs"], old["stopped_by_time"]
    fold.finished.write_text(json.dumps(old))
    capsys.readouterr()
    assert run(root, epochs=1) == 0
    assert "fold 0: complete, 1 epochs; skipped" in capsys.readouterr().out


def test_interrupted_before_the_first_validation_and_then_without_time(
    root: Path, fold: FoldFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next call trains, validates and ends, even with very little time."""
    step = Trainer.step

    def interrupted(self: Trainer, *given: Any) -> StepResult:
        os.kill(os.getpid(), signal.SIGINT)
        return step(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", interrupted)
        assert run(root, "--restart", epochs=500) == 130
    assert not fold.best.exists()
    assert not fold.finished.exists()
    capsys.readouterr()
    assert run(root, "--max-time", "0.01s", epochs=500) == 0
    said = capsys.readouterr().out
    assert "fold 0: interrupted after epoch 0 of 500; resuming" in said
    assert re.search(r"fold 0: stopped by time at epoch \d+ of 500; continue with -c", said)
    assert fold.best.is_file()
    assert fold.summary.is_file()
