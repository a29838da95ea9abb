"""The end of a command: errors, warnings, Ctrl-C, a closed pipe; and the log of --verbose."""

from __future__ import annotations

import argparse
import logging
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run
from cervseg.core.errors import DatasetError


def ends(action: Callable[[argparse.Namespace], int], *argv: str) -> int:
    """The exit code of a command without options."""
    return run(CommandParser(prog="cervseg_test"), action, argv)


def raises(problem: BaseException) -> Callable[[argparse.Namespace], int]:
    """A command that fails."""

    def act(_: argparse.Namespace) -> int:
        raise problem

    return act


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            DatasetError("no dataset.json", where="raw", hint="Convert it."),
            "error: no dataset.json: raw\nhint: Convert it.\n",
        ),
        (PermissionError(13, "Permission denied", "results"), "error: Permission denied: results\n"),
        (OSError(28, "No space left on device"), "error: No space left on device\n"),
    ],
)
def test_an_error_and_its_hint_are_a_line_each(
    problem: Exception, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The problem and its place, then what to do; exit code 2."""
    assert ends(raises(problem)) == 2
    assert capsys.readouterr().err == text


def test_verbose_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback is for bug reports."""
    assert ends(raises(DatasetError("no dataset.json")), "--verbose") == 2
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_says_how_to_resume(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 130, as shells expect."""
    assert ends(raises(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "hint: run the same command again to resume"


def test_sigterm_stops_like_ctrl_c() -> None:
    """A cluster's scheduler sends SIGTERM; the old handler is restored."""
    before = signal.getsignal(signal.SIGTERM)

    def act(_: argparse.Namespace) -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    assert ends(act) == 130
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("argv", "text"), [([], "warning: it is small\n"), (["--verbose"], "UserWarning")])
def test_warnings_are_one_line(argv: list[str], text: str) -> None:
    """A warning without its source line; with --verbose with it."""
    code = (
        "import sys, warnings\nfrom cervseg.cli.run import run\n"
        "from cervseg.cli.command_parser import CommandParser\n"
        "def act(options):\n    warnings.warn('it is small')\n    return 0\n"
        f"sys.exit(run(CommandParser(prog='x'), act, {argv}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert text in done.stderr
    assert (done.stderr == text) == (not argv)


def test_only_verbose_shows_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """The package logs through the standard library; its logger is left as it was."""

    def act(_: argparse.Namespace) -> int:
        logging.getLogger("cervseg.some.room").info("read a.json")
        return 0

    assert ends(act) == 0
    assert capsys.readouterr().err == ""
    assert ends(act, "--verbose") == 0
    assert capsys.readouterr().err.endswith(" read a.json\n")
    assert logging.getLogger("cervseg").handlers == []


@pytest.mark.parametrize("argv", [[], ["--help"]])
def test_a_closed_pipe_is_silent(argv: list[str]) -> None:
    """``cervseg_trainers | head -1`` prints a line and nothing else."""
    code = (
        "import sys\nfrom cervseg.cli.run import run\nfrom cervseg.cli.command_parser import CommandParser\n"
        "parser = CommandParser(prog='x', description='words ' * 100_000)\n"
        "def act(options):\n    print('line\\n' * 100_000)\n    return 0\n"
        f"sys.exit(run(parser, act, {argv}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    assert process.communicate()[1] == b""


def test_help_into_a_closed_pipe_is_silent() -> None:
    """Also where the output is smaller than a buffer, so that it fails when the interpreter exits."""
    code = (
        "import os, sys\nfrom cervseg.cli.trainers import main\n"
        "reading, writing = os.pipe()\nos.close(reading)\nos.dup2(writing, 1)\nmain(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.stderr == b""
