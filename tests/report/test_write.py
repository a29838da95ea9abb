"""Reports of results of the commands, opened in Chromium if it is installed."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cervseg.cli import evaluate, plan_and_preprocess, predict, report, train
from cervseg.core.folders import ModelFolder
from cervseg.report.claim import ITEMS
from cervseg.report.sections.pictures import spread
from cervseg.report.write import write_report
from tests.shapes import write_blob_dataset

SMALL = ["input_size=64x64", "batch_size=2", "precision=float32", "num_workers=1", "epochs=1"]
SMALL += ["features=8", "num_levels=3"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained fold and a folder of its masks, scored."""
    folder = tmp_path_factory.mktemp("report")
    write_blob_dataset(folder, num=6)
    where = ["--root", str(folder)]
    assert plan_and_preprocess.main(["-d", "1", *where]) == 0
    assert train.main(["1", "UNetTrainer", "-f", "0", "--device", "cpu", *where, "--set", *SMALL]) == 0
    raw = folder / "raw_data" / "Dataset001_Blobs"
    assert predict.main(["-i", str(raw / "imagesTr"), "-o", str(folder / "masks"), *where]) == 0
    arguments = ["-p", str(folder / "masks"), "-r", str(raw / "labelsTr")]
    assert evaluate.main([*arguments, "-o", str(folder / "masks" / "summary.json")]) == 0
    return folder


def model(root: Path) -> Path:
    return root / "results" / "Dataset001_Blobs" / "UNetTrainer__plans__original"


def test_a_fold(root: Path) -> None:
    """Every section is there, scores before the plan, and no absolute path."""
    assert report.main([str(model(root) / "fold_0")]) == 0
    text = (model(root) / "fold_0" / "report.html").read_text()
    for heading in ("Dataset", "Plan, with reasons", "Training", "Scores", "Case by case", "Images", "CLAIM"):
        assert heading in text
    assert text.count("data:image/jpeg") == 2
    assert "data:image/png" in text
    headings = re.findall(r"<h2[^>]*>([^<]+)", text)
    assert headings.index("Scores") < headings.index("Training") < headings.index("Plan, with reasons")
    assert "the same images chose the checkpoint" in text
    assert "1 of 1" in text
    assert str(root) not in text


def test_a_model_and_its_masks(root: Path, tmp_path: Path) -> None:
    """Reports of a model, and of a folder of masks with pictures."""
    assert report.main([str(model(root)), "-o", str(tmp_path / "model.html")]) == 0
    assert "UNetTrainer on Dataset001_Blobs" in (tmp_path / "model.html").read_text()
    images = root / "raw_data" / "Dataset001_Blobs" / "imagesTr"
    assert report.main([str(root / "masks"), "-i", str(images), "-o", str(tmp_path / "masks.html")]) == 0
    text = (tmp_path / "masks.html").read_text()
    assert "seconds per image" in text
    assert text.count("data:image/jpeg") == 6
    assert str(root) not in text


def test_other_folders_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit code 2."""
    assert report.main([str(tmp_path)]) == 2
    assert "not a model" in capsys.readouterr().err
    assert report.main([str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_the_checklist_has_44_items() -> None:
    """CLAIM 2024 counts from 1 to 44."""
    assert list(ITEMS) == list(range(1, 45))


def test_many_cases_show_the_worst_the_best_and_some_between() -> None:
    """Half, a quarter and a quarter."""
    chosen = spread([str(k) for k in range(100)], 8)
    assert chosen == ["0", "1", "2", "3", "4", "51", "98", "99"]


def test_it_opens_in_a_browser(root: Path, tmp_path: Path) -> None:
    """The script runs: it counts the cases. Skipped without Chromium."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("Chromium is not installed")
    page = tmp_path / "report.html"
    assert report.main([str(model(root)), "-o", str(page)]) == 0
    given = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"]
    given += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    done = subprocess.run(
        [browser, *given, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        pytest.skip(f"Chromium does not start: {done.stderr[-200:]}")
    assert "2 of 2 cases" in done.stdout


def test_fold_stopped_by_time(root: Path, tmp_path: Path) -> None:
    """A fold that the time limit stopped tells the epochs it ran; so does the checklist."""
    folder = tmp_path / "results" / "Dataset001_Blobs" / "UNetTrainer__plans__original"
    shutil.copytree(model(root), folder)
    fold = ModelFolder(folder).fold(0)
    finished = json.loads(fold.finished.read_text()) | {"max_epochs": 100, "stopped_by_time": True}
    fold.finished.write_text(json.dumps(finished))
    text = write_report(fold.path).read_text()
    assert "1 of 100" in text
    assert "fold_0: 1 of 100 epochs, stopped by the time limit" in text
    fold.finished.unlink()
    assert "1 of 1 epochs, not finished" in write_report(fold.path).read_text()
