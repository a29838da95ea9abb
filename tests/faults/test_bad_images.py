"""Invalid images among valid ones, and killed runs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from cervseg.cli import plan_and_preprocess, predict, train
from tests.shapes import blob_image, write_blob_dataset

NUM_EPOCHS = 20
SIZES = [
    "features=8",
    "num_levels=3",
    "input_size=64x64",
    "batch_size=2",
    "precision=float32",
    "num_workers=1",
    "ema_decay=0.9",
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of discs and a U-Net trained for two epochs."""
    root = tmp_path_factory.mktemp("faults")
    write_blob_dataset(root, num=10)
    assert plan_and_preprocess.main(["-d", "1", "--root", str(root)]) == 0
    assert (
        train.main(
            [
                "1",
                "UNetTrainer",
                "-f",
                "0",
                "--device",
                "cpu",
                "--root",
                str(root),
                "--set",
                *SIZES,
                "epochs=2",
            ]
        )
        == 0
    )
    return root


def test_six_invalid_images_among_four_valid_ones(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four masks are written; six names are in the error output; exit code 1, no traceback."""
    images = tmp_path / "images"
    images.mkdir()
    for index in range(4):
        cv2.imwrite(str(images / f"good{index}.png"), blob_image((150, 120), seed=index)[0])
    whole = (images / "good0.png").read_bytes()
    (images / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (images / "empty.png").write_bytes(b"")
    (images / "text.png").write_text("this is not an image")
    (images / "directory.png").mkdir()
    (images / "broken_link.png").symlink_to(tmp_path / "nowhere.png")
    cv2.imwrite(str(images / "tiny.png"), blob_image((1, 1))[0])
    capsys.readouterr()
    assert predict.main(["-i", str(images), "-o", str(tmp_path / "out"), "--root", str(workspace)]) == 1
    error = capsys.readouterr().err
    for name in ("truncated", "empty", "text", "directory", "broken_link", "tiny"):
        assert f"{name}.png" in error
    assert "Traceback" not in error
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [
        f"good{i}.png" for i in range(4)
    ]


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = arguments[0]
    code = f"import sys; from cervseg.cli.{command} import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill_when(process: subprocess.Popen[bytes], reached: object, number: int = signal.SIGKILL) -> int:
    """Wait until ``reached()`` is true, then send the signal; return the exit code."""
    deadline = time.monotonic() + 120
    while not reached() and process.poll() is None and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.02)
    process.send_signal(number)
    return process.wait(60)


def weights_of(fold: Path) -> dict[str, object]:
    from cervseg.networks.checkpoint import read_checkpoint

    content = read_checkpoint(fold / "checkpoint_latest.pt")
    assert content.training is not None
    return {**content.state_dict, **(content.training.average or {})}


def fold_1(root: Path) -> Path:
    return root / "results" / "Dataset001_Blobs" / "UNetTrainer__plans__original" / "fold_1"


def fold_1_arguments(root: Path) -> list[str]:
    where = ["1", "UNetTrainer", "-f", "1", "--device", "cpu", "--root", str(root)]
    return [*where, "--set", *SIZES, f"epochs={NUM_EPOCHS}"]


@pytest.fixture(scope="module")
def undisturbed(workspace: Path) -> dict[str, object]:
    """The final weights of an uninterrupted run."""
    assert train.main([*fold_1_arguments(workspace), "--restart"]) == 0
    return weights_of(fold_1(workspace))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_stopped_training_ends_equal(workspace: Path, undisturbed: dict[str, object], number: int) -> None:
    """A run that is stopped and resumed has weights bit-identical to those of an uninterrupted run."""
    arguments, fold = fold_1_arguments(workspace), fold_1(workspace)
    log = fold / "log.jsonl"
    process = start("train", *arguments, "--restart")

    def is_underway() -> bool:
        return not (fold / "finished.json").exists() and log.exists() and log.read_text().count("\n") >= 4

    code = kill_when(process, is_underway, number)
    assert code == (-9 if number == signal.SIGKILL else 130)
    assert not (fold / "finished.json").exists()
    assert train.main(arguments) == 0
    again = weights_of(fold)
    assert all((undisturbed[name] == again[name]).all() for name in undisturbed)  # type: ignore[attr-defined]
    assert [json.loads(row)["epoch"] for row in log.read_text().splitlines()] == list(range(NUM_EPOCHS))


def test_killed_preprocessing_resumes(tmp_path: Path) -> None:
    """The same command completes a partial cache; finished cases are kept."""
    write_blob_dataset(tmp_path, num=60, size=(900, 700))
    where = ["--root", str(tmp_path)]
    cache = tmp_path / "preprocessed" / "Dataset001_Blobs" / "original"
    process = start("plan_and_preprocess", "-d", "1", "--workers", "1", *where)
    kill_when(process, lambda: cache.is_dir() and len(list(cache.glob("*.json"))) >= 5)
    assert not (cache / "complete.json").exists()
    stamps = {path: path.stat().st_mtime_ns for path in cache.glob("c*.json")}
    assert plan_and_preprocess.main(["-d", "1", *where]) == 0
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert (cache / "complete.json").exists()
    assert len(list(cache.glob("*_mask.npy"))) == 60
    assert not list(cache.glob(".*"))


def test_killed_prediction_resumes(workspace: Path, tmp_path: Path) -> None:
    """Existing masks are kept, missing ones are predicted; all equal those of an uninterrupted run."""
    images = tmp_path / "images"
    images.mkdir()
    for index in range(40):
        cv2.imwrite(str(images / f"f{index:02d}.png"), blob_image((1100, 900), seed=index)[0])
    common = ["-i", str(images), "--root", str(workspace), "--device", "cpu"]
    assert predict.main([*common, "-o", str(tmp_path / "whole")]) == 0
    output = tmp_path / "out"
    process = start("predict", *common, "-o", str(output))
    kill_when(process, lambda: output.is_dir() and len(list(output.glob("f*.png"))) >= 5)
    kept = {path: path.stat().st_mtime_ns for path in output.glob("f*.png")}
    assert 5 <= len(kept) < 40
    assert predict.main([*common, "-o", str(output)]) == 0
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())
    for path in (tmp_path / "whole").glob("*.png"):
        assert (output / path.name).read_bytes() == path.read_bytes()
    assert not list(output.glob(".*"))


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    """No worker process survives after the command is killed."""
    write_blob_dataset(tmp_path, num=80, size=(900, 700))
    cache = tmp_path / "preprocessed" / "Dataset001_Blobs" / "original"
    process = start("plan_and_preprocess", "-d", "1", "--workers", "2", "--root", str(tmp_path))
    kill_when(process, lambda: cache.is_dir() and len(list(cache.glob("*.json"))) >= 3)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _processes_below(tmp_path):
        time.sleep(0.2)
    assert _processes_below(tmp_path) == []


def _processes_below(root: Path) -> list[int]:
    """List the processes whose command line contains the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(root).encode() in line:
                found.append(int(entry.name))
    return found
