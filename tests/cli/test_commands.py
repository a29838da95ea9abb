import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from cervseg.cli import (
    agreement,
    compare,
    convert,
    download_weights,
    evaluate,
    explain,
    export,
    export_annotations,
    phantom,
    plan_and_preprocess,
    predict,
    report,
    study,
    train,
    trainers,
)

COMMANDS = [
    agreement,
    compare,
    convert,
    download_weights,
    evaluate,
    explain,
    export,
    export_annotations,
    phantom,
    plan_and_preprocess,
    predict,
    report,
    study,
    train,
    trainers,
]


def name_of(command: object) -> str:
    return command.__name__.rpartition(".")[2]  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_help_is_complete_and_has_an_example(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    """--help exits with 0, describes itself, shows an example and the notice."""
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])  # type: ignore[attr-defined]
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert "example" in text
    assert f"cervseg_{name_of(command)}" in text
    assert "not a medical device" in text


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_help_loads_neither_torch_nor_image_libraries(command: object) -> None:
    """A command that only explains itself starts at once."""
    code = (
        f"import sys\nfrom {command.__name__} import main\n"  # type: ignore[attr-defined]
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'cv2', 'matplotlib', 'skimage', 'scipy', 'monai'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_command_is_installed() -> None:
    """The entry points name the functions that are tested here."""
    scripts = {
        p.name: p.value for p in entry_points(group="console_scripts") if p.name.startswith("cervseg_")
    }
    assert scripts == {f"cervseg_{name_of(c)}": f"cervseg.cli.{name_of(c)}:main" for c in COMMANDS}


@pytest.mark.parametrize(
    ("command", "argv", "message"),
    [
        (predict, ["-i", "nowhere", "-o", "out"], "error: no such file or folder: nowhere"),
        (train, ["1", "CervSpinNetTrainer"], "Did you mean CervSpineNetTrainer"),
        (train, ["1", "UNetTrainer"], "no dataset '1'"),
        (train, ["1", "--device", "cpu", "UNetTrainer"], "no dataset '1'"),
        (train, ["1"], "error: no trainer is named\nhint: cervseg_trainers lists them"),
        (train, ["1", "--trainer-file", "no.py"], "error: no such file: no.py"),
        (predict, ["-i", ".", "-o", "out", "--trainer-file", "no.py"], "error: no such file: no.py"),
        (trainers, ["UNetTrain"], "Did you mean UNetTrainer"),
        (trainers, ["-d", "1"], "no dataset '1'"),
        (train, ["1", "UNetTrainer", "--weights", "no.pth"], "error: no such file: no.pth"),
        (plan_and_preprocess, ["-d", "1"], "no dataset '1'"),
        (plan_and_preprocess, ["-d", "1", "--set", "epochs"], "no dataset"),
        (evaluate, ["-p", "a", "-r", "b", "-o", "c.json"], "no such folder"),
    ],
)
def test_mistakes_end_with_exit_code_2(
    command: object,
    argv: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback: what is wrong, where, and a hint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CERVSEG_ROOT", str(tmp_path))
    assert command.main(argv) == 2  # type: ignore[attr-defined]
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
