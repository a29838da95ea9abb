"""SAM through the commands: trained and validated with oracle prompts, predictions with a user's points."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.cli import evaluate, plan_and_preprocess, predict, train
from cervseg.dataset.writer import DatasetWriter
from cervseg.inference.prompt_source import ORACLE
from tests.shapes import disc_image

SIZE = (97, 131)
TINY = ["embed_dim=32", "depth=1", "num_heads=2", "out_chans=16", "patch_size=8", "input_size=64x96"]
HYPER = ["epochs=2", "batch_size=2", "precision=float32", "num_workers=1"]
DATASET = "Dataset001_Discs"


def discs_of(index: int) -> list[tuple[float, float, int]]:
    """Three discs at other places in each image."""
    return [(22 + 2 * index, 30, 1), (60, 60 + index, 1), (105 - index, 25 + 3 * index, 1)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of discs, and two folds of a tiny SAM."""
    root = tmp_path_factory.mktemp("points")
    writer = DatasetWriter(folder=root / "raw_data" / DATASET)
    for index in range(10):
        pixels, mask = disc_image(SIZE, discs_of(index), seed=index)
        writer.add_case(f"c{index}", channels=[pixels], mask=mask)
    writer.finish(channel_names=["xray"], labels={"background": 0, "disc": 1})
    assert plan_and_preprocess.main(["-d", "1", "--root", str(root)]) == 0
    return root


@pytest.fixture(scope="module")
def trained(workspace: Path) -> tuple[Path, str]:
    """The model folder, and what training printed."""
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *texts, **_: printed.append(" ".join(map(str, texts))))
        arguments = ["1", "SAMTrainer", "-f", "0", "1", "--device", "cpu", "--max-time", "60s"]
        assert train.main([*arguments, "--root", str(workspace), "--set", *TINY, *HYPER]) == 0
    return workspace / "results" / DATASET / "SAMTrainer__plans__original", "\n".join(printed)


def run(workspace: Path, output: Path, *options: str) -> int:
    """cervseg_predict on the training images, in float32 on the CPU."""
    images = workspace / "raw_data" / DATASET / "imagesTr"
    where = ["-i", str(images), "-o", str(output), "--root", str(workspace), "--device", "cpu"]
    return predict.main([*where, "--precision", "float32", *options])


def test_validation_says_that_its_prompts_are_oracles(workspace: Path, trained: tuple[Path, str]) -> None:
    """Summaries of folds and model, their tables and another evaluation of the masks name the prompts."""
    model, printed = trained
    for path in (*sorted(model.glob("fold_*/summary.json")), model / "crossval_summary.json"):
        assert json.loads(path.read_text())["prompts"] == ORACLE
    assert len(list(model.glob("fold_*/summary.json"))) == 2
    labels, again = workspace / "raw_data" / DATASET / "labelsTr", model / "again.json"
    where = ["-p", str(model / "fold_0" / "validation"), "-r", str(labels), "-o", str(again)]
    evaluate.main([*where, "--workers", "1"])
    assert json.loads(again.read_text())["prompts"] == ORACLE
    # When a fold begins, after it, and over both.
    assert printed.count(f"prompts: {ORACLE}") == 2 * 2 + 1


def test_the_network_fits_the_plan_and_the_loss_is_the_papers(trained: tuple[Path, str]) -> None:
    """The saved plan has BCE + Dice in the family of the SAM encoders."""
    content = json.loads((trained[0] / "trainer.json").read_text())
    assert content["configuration"]["name"] == "2d_vit"
    assert content["configuration"]["loss"] == "bce_dice"


def test_points_from_masks_and_their_scores(
    workspace: Path, trained: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two folds and five views are averaged; record and scores name the masks that give the points."""
    labels, output = workspace / "raw_data" / DATASET / "labelsTr", tmp_path / "out"
    assert run(workspace, output, "--prompts-from", str(labels), "--tta", "--save-probabilities") == 0
    assert len(list(output.glob("*.png"))) == 10
    assert cv2.imread(str(output / "c0.png"), cv2.IMREAD_UNCHANGED).shape == SIZE
    assert np.load(output / "c0.npz")["probabilities"].shape == (1, *SIZE)
    record = json.loads((output / "prediction.json").read_text())
    assert record["prompts"] == f"centroids of the masks in {labels.resolve()}"
    assert record["finished"]
    summary = tmp_path / "summary.json"
    capsys.readouterr()
    where = ["-p", str(output), "-r", str(labels), "-o", str(summary)]
    assert evaluate.main([*where, "--workers", "1"]) == 0
    assert f"prompts: {ORACLE}" in capsys.readouterr().out
    assert json.loads(summary.read_text())["prompts"] == ORACLE


def test_images_without_usable_points_are_named_and_the_others_go_on(
    workspace: Path, trained: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One image is missing, one has a point outside: eight masks, two reasons, exit code 1."""
    content = {f"c{index}": [[x, y] for x, y, _ in discs_of(index)] for index in range(1, 10)}
    content["c9"].append([131, 40])
    points, output = tmp_path / "points.json", tmp_path / "out"
    points.write_text(json.dumps(content))
    capsys.readouterr()
    assert run(workspace, output, "-f", "0", "--points", str(points)) == 1
    told = capsys.readouterr()
    assert f"prompts: points in {points}" in told.out
    assert sorted(path.stem for path in output.glob("*.png")) == [f"c{index}" for index in range(1, 9)]
    failed = [line for line in told.err.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 2
    assert any("no points for this image: " in line and line.endswith("c0_0000.png") for line in failed)
    assert any("the point (131, 40) is outside the image of 131 x 97 px" in x for x in failed)
    assert "Traceback" not in told.err


def test_a_run_with_other_points_makes_its_masks_anew(
    workspace: Path, trained: tuple[Path, str], tmp_path: Path
) -> None:
    """An interrupted run resumes with the same file of points and restarts with a changed one."""
    points, output = tmp_path / "points.csv", tmp_path / "out"
    rows = [f"c{index}_0000.png,{x},{y}" for index in range(10) for x, y, _ in discs_of(index)]
    points.write_text("\n".join(["image,x,y", *rows]))
    assert run(workspace, output, "-f", "0", "--points", str(points)) == 0
    record = json.loads((output / "prediction.json").read_text())

    def cut_short() -> int:
        (output / "prediction.json").write_text(json.dumps({**record, "finished": False}))
        (output / "c3.png").unlink()
        return (output / "c5.png").stat().st_mtime_ns

    before = cut_short()
    assert run(workspace, output, "-f", "0", "--points", str(points)) == 0
    assert (output / "c5.png").stat().st_mtime_ns == before
    before = cut_short()
    points.write_text("\n".join(["image,x,y", *rows, "c1,30,30"]))
    assert run(workspace, output, "-f", "0", "--points", str(points)) == 0
    assert (output / "c5.png").stat().st_mtime_ns != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--points FILE, or --prompts-from FOLDER"),
        (["--points", "nowhere.json"], "error: file not found: nowhere.json"),
        (["--points", "nowhere.csv"], "the file cannot be read"),
        (["--prompts-from", "nowhere"], "error: no such folder: nowhere"),
    ],
)
def test_mistakes_end_with_exit_code_2(
    workspace: Path,
    trained: tuple[Path, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    """The problem and a hint, before any mask is written."""
    capsys.readouterr()
    assert run(workspace, tmp_path / "out", *options) == 2
    told = capsys.readouterr().err
    assert message in told
    assert [line.split(": ")[0] for line in told.splitlines()] in (["error"], ["error", "hint"])
    assert not (tmp_path / "out").exists()


def test_points_and_masks_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """The parser raises the error; the help shows the format of a file of points."""
    for argv in (["-i", "a", "-o", "b", "--points", "c", "--prompts-from", "d"], ["--help"]):
        with pytest.raises(SystemExit):
            predict.main(argv)
    told = capsys.readouterr()
    assert "not allowed with" in told.err
    assert '{"image.png": [[x, y]' in told.out.replace("\n", " ")
