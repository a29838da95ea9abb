"""The complete pipeline on small phantoms, from the command line."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.cli import evaluate, phantom, plan_and_preprocess, predict, train
from cervseg.inference.predictor import Predictor

DATASET = "Dataset001_Phantom"
TINY_VIT = [
    "embed_dim=32",
    "depth=2",
    "num_heads=2",
    "out_chans=16",
    "decoder_widths=16,16,8,8",
    "input_size=128x96",
]
TINY_CNN = ["features=8", "num_levels=3", "input_size=128x96"]


def digest(folder: Path, pattern: str) -> str:
    """Hash the names and bytes of all matching files, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(folder.glob(pattern)):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight training phantoms and three test phantoms, planned and preprocessed."""
    root = tmp_path_factory.mktemp("golden")
    where = ["--root", str(root)]
    assert (
        phantom.main(["-d", "1", "-n", "8", "--num-test", "3", "--seed", "7", "--long-side", "480", *where])
        == 0
    )
    assert plan_and_preprocess.main(["-d", "001", *where]) == 0
    return root


def train_it(root: Path, trainer: str, sizes: list[str]) -> Path:
    common = ["epochs=3", "batch_size=2", "precision=float32", "num_workers=1"]
    arguments = ["001", trainer, "-f", "0", "--device", "cpu", "--root", str(root), "--set", *sizes, *common]
    assert train.main(arguments) == 0
    return root / "results" / DATASET / f"{trainer}__plans__original"


@pytest.mark.parametrize(("trainer", "sizes"), [("CervSpineNetTrainer", TINY_VIT), ("UNetTrainer", TINY_CNN)])
def test_the_complete_pipeline(workspace: Path, tmp_path: Path, trainer: str, sizes: list[str]) -> None:
    """Train, predict the test phantoms, evaluate: all files exist, are valid and have the right size."""
    model = train_it(workspace, trainer, sizes)
    fold = model / "fold_0"
    for name in ("checkpoint_best.pt", "checkpoint_latest.pt", "log.jsonl", "progress.png", "summary.json"):
        assert (fold / name).stat().st_size > 0
    assert [json.loads(line)["epoch"] for line in (fold / "log.jsonl").read_text().splitlines()] == [0, 1, 2]
    images, output = workspace / "raw_data" / DATASET / "imagesTs", tmp_path / "masks"
    arguments = [
        "-i",
        str(images),
        "-o",
        str(output),
        "--root",
        str(workspace),
        "--save-probabilities",
        "--overlay",
    ]
    assert predict.main(arguments) == 0
    labels = workspace / "raw_data" / DATASET / "labelsTs"
    for reference in labels.glob("*.png"):
        mask = cv2.imread(str(output / reference.name), cv2.IMREAD_UNCHANGED)
        assert mask.shape == cv2.imread(str(reference), cv2.IMREAD_UNCHANGED).shape
        assert set(np.unique(mask)) <= {0, 1}
    summary = tmp_path / "summary.json"
    assert evaluate.main(["-p", str(output), "-r", str(labels), "-o", str(summary)]) == 0
    content = json.loads(summary.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert len(content["metric_per_case"]) == 3
    assert {"Dice", "IoU", "HD95", "MAE"} <= set(content["mean"]["1"])


def test_the_same_run_gives_the_same_bytes(workspace: Path, tmp_path: Path) -> None:
    """Training twice with the same seed gives bit-identical weights and masks."""
    fold = train_it(workspace, "UNetTrainer", TINY_CNN) / "fold_0"
    before = digest(fold / "validation", "*.png")
    weights = Predictor.from_folder(fold.parent, device="cpu").networks[0].state_dict()
    arguments = ["001", "UNetTrainer", "-f", "0", "--device", "cpu", "--root", str(workspace), "--restart"]
    settings = ["--set", *TINY_CNN, "epochs=3", "batch_size=2", "precision=float32", "num_workers=1"]
    assert train.main([*arguments, *settings]) == 0
    again = Predictor.from_folder(fold.parent, device="cpu").networks[0].state_dict()
    assert all((weights[name] == again[name]).all() for name in weights)
    assert digest(fold / "validation", "*.png") == before


def test_predictor_needs_no_files_after_loading(workspace: Path) -> None:
    """In Python, an array gives a mask and probabilities of its size; the spacing is kept."""
    model = train_it(workspace, "UNetTrainer", TINY_CNN)
    predictor = Predictor.from_folder(model, device="cpu")
    image = (np.random.default_rng(0).random((333, 251)) * 255).astype(np.uint8)
    prediction = predictor.predict(image, spacing_mm=(0.2, 0.3))
    assert prediction.mask.shape == (333, 251)
    assert prediction.mask.dtype == np.uint8
    assert prediction.probabilities.shape == (1, 333, 251)
    assert 0 <= prediction.probabilities.min() <= prediction.probabilities.max() <= 1
    assert prediction.spacing_mm == (0.2, 0.3)
    augmented = predictor.predict(image, tta=True)
    assert np.abs(augmented.probabilities - prediction.probabilities).max() > 0
    with pytest.raises(ValueError, match="H x W"):
        predictor.predict(np.zeros((2, 3, 4, 5), np.uint8))


def test_finished_folds_are_skipped_and_all_folds_are_summarized(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second call trains nothing; the cross-validation summary covers the finished folds."""
    model = train_it(workspace, "UNetTrainer", TINY_CNN)
    stamp = (model / "fold_0" / "checkpoint_best.pt").stat().st_mtime_ns
    capsys.readouterr()
    train_it(workspace, "UNetTrainer", TINY_CNN)
    assert "fold 0: complete, 3 epochs; skipped" in capsys.readouterr().out
    assert (model / "fold_0" / "checkpoint_best.pt").stat().st_mtime_ns == stamp
    assert json.loads((model / "crossval_summary.json").read_text())["num_cases"] == 2
