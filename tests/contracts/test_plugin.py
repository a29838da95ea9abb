"""A plug-in from end to end: the code of docs/PLUGINS.md as a package and as a file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cervseg.cli import evaluate, plan_and_preprocess, predict, train
from cervseg.core import registry
from cervseg.core.registry import NETWORKS, TRAINERS
from cervseg.networks.checkpoint import read_checkpoint
from cervseg.planning.constants import NO_AUGMENTATION
from cervseg.testing import PROMISES, Trial, check_trainer, tiny_dataset
from cervseg.trainers.trainer_file import register_trainer_file
from cervseg.trainers.unet import UNetTrainer
from cervseg.training.transforms import apply_transforms

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "plugin_example"
# The page's blocks in their order: the module, its package, what registers a file, the author's test, a
# trainer with transforms.
MODULE, PACKAGE, REGISTER, CHECK, TRANSFORMS = re.findall(
    r"^```(?:python|toml)\n(.*?)^```", (ROOT / "docs" / "PLUGINS.md").read_text(), re.DOTALL | re.MULTILINE
)
SHORT = ["--device", "cpu", "--set", "epochs=2", "batch_size=4", "input_size=64x64", "num_workers=1"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten tiny images, prepared."""
    root = tmp_path_factory.mktemp("workspace")
    tiny_dataset(root / "raw_data" / "Dataset001_Tiny")
    assert plan_and_preprocess.main(["-d", "1", "--root", str(root), "--workers", "1"]) == 0
    return root


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the example, installed offline into its own folder."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    shutil.copytree(EXAMPLE, source, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    offline = ["--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", "-q", *offline, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def test_the_trainer_with_transforms_runs() -> None:
    """The page's list of batchgenerators' transforms mirrors images or adds noise, and keeps the promise."""
    names: dict[str, type[UNetTrainer]] = {"UNetTrainer": UNetTrainer}
    exec(TRANSFORMS, names)
    trial = Trial.make(names["MyTrainer"])
    PROMISES["transforms_images"](trial)
    transforms = trial.trainer.transforms(trial.plan)
    image_CHW, target_LHW = trial.batch.image_BCHW[0].numpy(), trial.batch.target_BLHW[0].numpy()
    made = [apply_transforms(transforms, image_CHW, target_LHW, seed=(seed,)) for seed in range(8)]
    assert any((image != image_CHW).any() for image, _ in made)
    assert any((target == target_LHW[..., ::-1]).all() for _, target in made)
    assert trial.trainer.configured(trial.plan).augmentation == NO_AUGMENTATION


def run(code: str, *, installed: Path | None, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code in another process, with the package or without."""
    paths = [str(path) for path in (installed, ROOT) if path is not None]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)


def command(name: str, *arguments: object) -> str:
    """Return the code that a console script runs."""
    return f"import sys\nfrom cervseg.cli.{name} import main\nsys.exit(main({[str(a) for a in arguments]}))"


def test_the_page_shows_the_package_and_is_short() -> None:
    """The same text as the package that is installed here; its code has less than 40 lines."""
    assert (EXAMPLE / "cervseg_example.py").read_text() == MODULE
    assert (EXAMPLE / "pyproject.toml").read_text() == PACKAGE
    assert len([line for line in (MODULE + PACKAGE).splitlines() if line.strip()]) < 40


def test_an_installed_package(installed: Path, workspace: Path, tmp_path: Path) -> None:
    """Listed with its source, checked as its author would, trained, predicted with."""
    listed = run(command("trainers", "TinyTrainer"), installed=installed, cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert re.search(r"from +cervseg-example 0\.1\n", listed.stdout)
    assert re.search(r"network +tiny_net, 7,233 parameters", listed.stdout)

    checked = run(f"{CHECK}\ntest_tiny_trainer()", installed=installed, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr

    where = ["--root", workspace]
    trained = run(
        command("train", "1", "TinyTrainer", "-f", "0", *where, *SHORT), installed=installed, cwd=tmp_path
    )
    assert trained.returncode == 0, trained.stderr
    assert "tiny_net, 0.01 M parameters, input 64 x 64" in trained.stdout
    model = workspace / "results" / "Dataset001_Tiny" / "TinyTrainer__plans__original"
    content = read_checkpoint(model / "fold_0" / "checkpoint_best.pt")
    assert content.model.run.versions["trainer"] == "cervseg-example 0.1"

    images = workspace / "raw_data" / "Dataset001_Tiny" / "imagesTr"
    wanted = ["-i", images, "-d", "1", "-tr", "TinyTrainer", "--device", "cpu", *where]
    predicted = run(command("predict", "-o", "masks", *wanted), installed=installed, cwd=tmp_path)
    assert predicted.returncode == 0, predicted.stderr
    assert len(list((tmp_path / "masks").glob("*.png"))) == 10

    lost = run(command("predict", "-o", "none", *wanted), installed=None, cwd=tmp_path)
    assert lost.returncode == 2
    assert "no plug-in 'tiny_net'" in lost.stderr
    assert "install the plug-in that it is from, or give its --trainer-file" in lost.stderr
    assert [line.split(":")[0] for line in lost.stderr.strip().splitlines()] == ["error", "hint"]


@pytest.fixture
def trainer_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's file for a first try; its registrations are undone."""
    monkeypatch.setattr(registry, "_registered", {TRAINERS: {}, NETWORKS: {}})
    path = tmp_path / "cervseg_example.py"
    path.write_text(f"{MODULE}\n\n{REGISTER}")
    return path


def test_a_file_trains_goes_on_predicts_and_is_scored(
    trainer_file: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command with the file; without it the checkpoint's network is not known."""

    def begin() -> None:  # as a new process would
        monkeypatch.setattr(registry, "_registered", {TRAINERS: {}, NETWORKS: {}})

    file, where = ["--trainer-file", str(trainer_file)], ["--root", str(workspace)]
    assert train.main(["1", *file, "-f", "1", *where, *SHORT]) == 0
    model = workspace / "results" / "Dataset001_Tiny" / "TinyTrainer__plans__original"
    begin()
    further = [*SHORT, "epochs=3"]
    assert train.main(["1", "--continue", *file, "TinyTrainer", "-f", "1", *where, *further]) == 0
    assert len((model / "fold_1" / "log.jsonl").read_text().splitlines()) == 3

    raw, masks = workspace / "raw_data" / "Dataset001_Tiny", tmp_path / "masks"
    wanted = ["-i", str(raw / "imagesTr"), "-o", str(masks), "-m", str(model), "-f", "1", "--device", "cpu"]
    begin()
    assert predict.main([*wanted, *where]) == 2
    assert predict.main([*wanted, *file, *where]) == 0
    scores = ["-p", str(masks), "-r", str(raw / "labelsTr"), "-o", str(tmp_path / "summary.json")]
    begin()
    assert evaluate.main([*scores, "--workers", "1"]) == 0


def test_a_files_trainer_keeps_every_promise(trainer_file: Path) -> None:
    """The same as in a package."""
    check_trainer(register_trainer_file(trainer_file))
