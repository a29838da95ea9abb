import resource
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
from cervseg.testing import tiny_dataset

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
    """--help imports neither torch nor other slow packages."""
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
        (train, ["1"], "error: no trainer given\nhint: cervseg_trainers lists them"),
        (train, ["1", "--trainer-file", "no.py"], "error: no such file: no.py"),
        (predict, ["-i", ".", "-o", "out", "--trainer-file", "no.py"], "error: no such file: no.py"),
        (trainers, ["UNetTrain"], "Did you mean UNetTrainer"),
        (trainers, ["-d", "1"], "no dataset '1'"),
        (train, ["1", "UNetTrainer", "--weights", "no.pth"], "error: file not found: no.pth"),
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


def test_tables_fit_100_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list of trainers and the plan with all its reasons, by default and with --verbose."""
    tiny_dataset(tmp_path / "raw_data" / "Dataset001_Tiny", num=5)
    monkeypatch.setenv("CERVSEG_ROOT", str(tmp_path))
    assert trainers.main([]) == 0
    assert plan_and_preprocess.main(["1", "--workers", "1"]) == 0
    assert plan_and_preprocess.main(["1", "--workers", "1", "--verbose"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if str(tmp_path) not in line]
    assert len(lines) > 50
    assert [line for line in lines if len(line) > 100] == []


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_help_fits_100_columns(
    command: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal of 100 columns only examples are wider."""
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        command.main(["--help"])  # type: ignore[attr-defined]
    text = capsys.readouterr().out.partition("\nexample:")[0]
    assert [line for line in text.splitlines() if len(line) > 100] == []


def test_help_starts_at_once() -> None:
    """In 0.3 s of CPU time on the fastest of three tries; no torch, see above."""
    took_s = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-c", "from cervseg.cli.predict import main; main(['--help'])"],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(took_s) <= 0.3
