"""cervseg_trainers: every trainer with its size, even if others fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from cervseg.cli import plan_and_preprocess, trainers
from cervseg.core import registry
from cervseg.core.registry import NETWORKS, TRAINERS, available, register
from cervseg.testing import tiny_dataset
from cervseg.training.trainer import Trainer


class LostTrainer(Trainer):
    """A trainer without a network."""


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the trainers that a test registers."""
    monkeypatch.setattr(registry, "_registered", {TRAINERS: {}, NETWORKS: {}})


def row_of(name: str, table: str) -> list[str]:
    """The cells of a trainer's row."""
    return next(line for line in table.splitlines() if line.startswith(f"{name} ")).split()


def test_published_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    """Every trainer has a row; the paper's networks have the paper's sizes."""
    assert trainers.main([]) == 0
    table = capsys.readouterr().out
    assert [line.split()[0] for line in table.splitlines()] == ["trainer", *available(TRAINERS)]
    cervspine = ["CervSpineNetTrainer", "cervspinenet", "90,457,984", "345.07", "MiB", "1024", "x", "1024"]
    assert row_of("CervSpineNetTrainer", table)[:8] == cervspine
    assert row_of("CervSpineNetTrainer", table)[8] == "cervseg"
    assert row_of("SAMTrainer", table)[2] == "93,735,472"


def test_a_datasets_own_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With -d the sizes are those of the plan, with settings that were edited by hand."""
    tiny_dataset(tmp_path / "raw_data" / "Dataset001_Tiny", num=5)
    where = ["-d", "001", "--root", str(tmp_path)]
    assert plan_and_preprocess.main([*where, "--workers", "1", "--set", "2d_cnn.input_size=96x64"]) == 0
    capsys.readouterr()
    assert trainers.main(where) == 0
    assert row_of("UNetTrainer", capsys.readouterr().out)[5:8] == ["96", "x", "64"]


def test_one_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """Docstring, configuration, loss, settings and initial weights of a trainer."""
    assert trainers.main(["SAMTrainer"]) == 0
    page = capsys.readouterr().out
    for text in (
        "ORACLE prompts",
        "2d_vit",
        "bce_dice",
        "loss=bce_dice",
        "sam_vit_b_01ec64.pth",
        "1024 x 1024",
    ):
        assert text in page
    assert trainers.main(["DeepLabV3PlusTrainer"]) == 0
    assert "ImageNet weights for the encoder" in capsys.readouterr().out


@pytest.mark.usefixtures("own_registry")
def test_broken_ones_say_why_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken package and a missing network: one line each, exit code 1."""
    package = tmp_path / "lame-1.5.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: lame\nVersion: 1.5\n")
    (package / "entry_points.txt").write_text("[cervseg.trainers]\nLameTrainer = lame_module:LameTrainer\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    register(TRAINERS, "LostTrainer", LostTrainer)
    assert trainers.main([]) == 1
    told = capsys.readouterr()
    assert row_of("UNetTrainer", told.out)[2] == "31,035,521"
    lame, lost = sorted(told.err.strip().splitlines())
    assert lame.startswith("LameTrainer (lame 1.5) cannot be used: ")
    assert "No module named 'lame_module'" in lame
    assert lost.startswith("LostTrainer (")
    assert "NotImplementedError" in lost
    assert trainers.main(["LameTrainer"]) == 1
