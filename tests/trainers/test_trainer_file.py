"""A trainer out of a file: found, named, and refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cervseg.core import registry
from cervseg.core.errors import PluginError
from cervseg.core.registry import NETWORKS, TRAINERS, load
from cervseg.trainers.trainer_file import register_trainer_file

IMPORT = "from cervseg.training.trainer import Trainer\n"
MINE = IMPORT + "class MyTrainer(Trainer):\n    pass\n"


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten."""
    monkeypatch.setattr(registry, "_registered", {TRAINERS: {}, NETWORKS: {}})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the trainer is written."""
    return tmp_path / "my trainer-1.py"


def test_by_its_class_name(file: Path) -> None:
    """The imported base class is nobody's; the same file once more replaces the former class."""
    file.write_text(MINE)
    assert register_trainer_file(file) == "MyTrainer"
    first = load(TRAINERS, "MyTrainer")
    assert register_trainer_file(file, name="MyTrainer") == "MyTrainer"
    assert load(TRAINERS, "MyTrainer") is not first


def test_two_trainers_want_a_choice(file: Path) -> None:
    """Their names are in the message; a name chooses."""
    file.write_text(MINE + "class YourTrainer(MyTrainer):\n    pass\n")
    with pytest.raises(
        PluginError, match=r"(?s)several trainers \(MyTrainer and YourTrainer\): .*hint: Name one of them"
    ):
        register_trainer_file(file)
    assert register_trainer_file(file, name="YourTrainer") == "YourTrainer"
    with pytest.raises(
        PluginError, match=r"(?s)no trainer 'OurTrainer': .*It defines MyTrainer and YourTrainer"
    ):
        register_trainer_file(file, name="OurTrainer")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (IMPORT, r"(?s)no trainer in this file: .*trainer-1\.py\nhint: Subclass"),
        (IMPORT + "class MyTrainer(Trainer)\n", r"SyntaxError: expected ':': .*trainer-1\.py:2"),
        ("\n\n1 / 0\n", r"ZeroDivisionError: division by zero: .*trainer-1\.py:3"),
        ("import no_such_module\n", r"ModuleNotFoundError: No module named .*: .*trainer-1\.py:1"),
        (MINE.replace("MyTrainer", "UNetTrainer"), "the name 'UNetTrainer' is taken"),
        (
            MINE + "from cervseg.core.registry import *\nregister(NETWORKS, 'unet', MyTrainer)\n",
            r"(?s)'unet' is taken \(cervseg.networks.unet:UNet\): .*trainer-1\.py:5\nhint: Choose another",
        ),
    ],
)
def test_mistakes_name_file_and_line_number(file: Path, text: str, message: str) -> None:
    """What is wrong, where, and in a second line what to do."""
    file.write_text(text)
    with pytest.raises(PluginError, match=message):
        register_trainer_file(file)


def test_no_file_and_no_python_file(tmp_path: Path) -> None:
    """Both are said before anything is run."""
    with pytest.raises(PluginError, match="no such file"):
        register_trainer_file(tmp_path / "nowhere.py")
    (tmp_path / "trainer.txt").write_text(MINE)
    with pytest.raises(PluginError, match=r"must end in \.py"):
        register_trainer_file(tmp_path / "trainer.txt")
