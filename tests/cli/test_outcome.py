import pytest

from cervseg.cli.outcome import print_outcome


def test_warnings_and_files_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings are output, files left out are errors; at most 20 lines without --verbose."""
    lines = [f"the file is truncated: {number}.png" for number in range(23)]
    assert print_outcome(["one image is empty"], lines, verbose=False) == 1
    printed = capsys.readouterr()
    assert printed.out == "warning: one image is empty\n"
    assert printed.err.splitlines()[0] == "left out: the file is truncated: 0.png"
    assert printed.err.splitlines()[20:] == ["... and 3 more (--verbose lists all)"]
    assert print_outcome([], lines, verbose=True) == 1
    assert len(capsys.readouterr().err.splitlines()) == 23
    assert print_outcome([], [], verbose=False) == 0
