"""A study through its command, on images of a disc: two systems, two variants, two seeds."""

import json
import shutil
from pathlib import Path

import pytest

from cervseg.cli import plan_and_preprocess, report, study
from cervseg.core.errors import DatasetError
from cervseg.core.folders import StudyFolder
from cervseg.core.jsonio import write_json
from cervseg.core.study import read_study
from cervseg.crossval import fold as crossval_fold
from cervseg.dataset.writer import DatasetWriter
from cervseg.study import figures
from tests.shapes import blob_image

SMALL = ["input_size=64x64", "batch_size=2", "precision=float32", "num_workers=1", "epochs=2"]
SMALL += ["2d_vit.embed_dim=32", "2d_vit.depth=2", "2d_vit.num_heads=2", "2d_vit.out_chans=16"]
SMALL += ["2d_vit.decoder_widths=16,16,8,8", "2d_cnn.features=8", "2d_cnn.num_levels=3"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images to train on and six held out, planned small."""
    folder = tmp_path_factory.mktemp("study")
    writer = DatasetWriter(folder=folder / "raw_data" / "Dataset001_Discs")
    for index in range(16):
        pixels, mask = blob_image((96, 80), seed=index)
        writer.add_case(f"c{index:03d}", channels=[pixels], mask=mask, test=index >= 10)
    writer.finish(channel_names=["xray"], labels={"background": 0, "disc": 1})
    assert plan_and_preprocess.main(["-d", "1", "--root", str(folder), "--set", *SMALL]) == 0
    return folder


def run_it(root: Path, *more: str, trainers: tuple[str, ...] = ("UNetTrainer", "SAMTrainer")) -> int:
    return study.main(["1", "--root", str(root), "--device", "cpu", "--trainers", *trainers, *more])


def test_the_whole_study_and_again_without_training(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight models, their tables and figures; the same command again trains nothing and writes the same."""
    asked = ("--variants", "original", "augmented", "--seeds", "0", "1")
    assert run_it(root, "--dry-run", *asked) == 0
    said = capsys.readouterr().out
    assert "warning: not preprocessed yet: augmented" in said
    assert not (root / "results").exists()

    assert run_it(root, *asked) == 0
    folder = root / "results" / "Dataset001_Discs" / "study"
    found = json.loads((folder / "study.json").read_text())
    assert len(found["models"]) == 8
    assert (found["scored_on"], found["missing"]) == ("test", {})
    assert {model["title"] for model in found["models"]} == {"U-Net", "SAM (oracle points)"}
    assert all(model["image_s"] > 0 and model["train_s"] > 0 for model in found["models"])
    seeds = root / "results" / "Dataset001_Discs"
    assert (seeds / "UNetTrainer__plans__augmented__seed1" / "fold_0" / "finished.json").is_file()
    for name in ("tables.md", "tables.json", "scores.csv", "scores.json", "comparisons.json", "report.html"):
        assert (folder / name).stat().st_size > 0
    rows = (folder / "scores.csv").read_text().splitlines()
    assert len(rows) == 1 + 8 * 6
    tables = json.loads((folder / "tables.json").read_text())
    assert [table["name"] for table in tables] == [
        "table_systems_original",
        "table_systems_augmented",
        "table_cost",
        "table_friedman",
        "table_pairs",
    ]
    assert "oracle points" in (folder / "tables.md").read_text()
    captions = json.loads((folder / "figures" / "captions.json").read_text())
    assert {"distribution_Dice", "panel", "errors", "cost"} <= captions["captions"].keys()
    assert captions["missing"] == {}
    before = {path: path.stat().st_mtime_ns for path in seeds.glob("*/fold_0/*.pt")}
    tables_before = (folder / "tables.md").read_bytes()

    def refuse(*_args: object, **_named: object) -> None:
        raise AssertionError("nothing is left to train")

    monkeypatch.setattr(crossval_fold, "fit", refuse)
    monkeypatch.setattr(figures, "explain", lambda image, *_args, **_named: [(image, "no attention")])
    assert run_it(root, *asked) == 0
    captions = json.loads((folder / "figures" / "captions.json").read_text())
    assert set(captions["missing"].values()) == {"no attention"}
    assert "no attention" in (folder / "report.html").read_text()
    assert {path: path.stat().st_mtime_ns for path in seeds.glob("*/fold_0/*.pt")} == before
    assert (folder / "tables.md").read_bytes() == tables_before


def test_study_of_another_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report refuses study.json of cervseg 0.1 with a hint; a new study replaces the file."""
    folder = StudyFolder(root / "results" / "Dataset001_Discs" / "study")
    write_json(folder.record, {"dataset": "Dataset001_Discs", "cells": []})
    assert report.main([str(folder.path)]) == 2
    assert "run cervseg_study again" in capsys.readouterr().err
    with pytest.raises(DatasetError, match="not a study of this version"):
        read_study(folder)


def test_failed_model_is_reported_and_the_others_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A setting that one network does not have leaves its models out; exit code 1."""
    code = run_it(
        root,
        "--variants",
        "original",
        "--set",
        "embed_dim=16",
        "--seeds",
        "5",
        trainers=("UNetTrainer", "CervSpineNetTrainer"),
    )
    said = capsys.readouterr().out
    assert code == 1
    assert "left out: UNetTrainer, original, seed 5: unknown setting: embed_dim" in said
    found = json.loads((root / "results" / "Dataset001_Discs" / "study" / "study.json").read_text())
    assert [model["model"]["trainer"] for model in found["models"]] == ["CervSpineNetTrainer"]


def test_folds(root: Path) -> None:
    """Cross-validation scores every training image once, by the fold that held it out."""
    assert run_it(root, "--variants", "original", "--score-on", "folds", trainers=("UNetTrainer",)) == 0
    found = json.loads((root / "results" / "Dataset001_Discs" / "study" / "study.json").read_text())
    assert found["models"][0]["folds"] == ["0", "1", "2", "3", "4"]
    assert len(found["models"][0]["predictions"]) == 5
    summary = json.loads((root / "results" / "Dataset001_Discs" / found["models"][0]["summary"]).read_text())
    assert len(summary["metric_per_case"]) == 10


def test_user_errors(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No plan, no test images, another preset, a wrong trainer: one line and exit code 2."""
    assert run_it(root, trainers=("UNetTrainr",)) == 2
    assert "UNetTrainer" in capsys.readouterr().err
    assert run_it(root, "--preset", "paper") == 2
    assert "--preset" in capsys.readouterr().err
    raw = tmp_path / "raw_data" / "Dataset001_Discs"
    shutil.copytree(root / "raw_data" / "Dataset001_Discs", raw)
    assert run_it(tmp_path, "--dry-run") == 2
    assert "no plan yet" in capsys.readouterr().err
