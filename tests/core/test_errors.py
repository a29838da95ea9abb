import pickle

import pytest

from cervseg.core.errors import CervsegError, DatasetError, PlanError, one_line


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (CervsegError("no such file"), "no such file"),
        (CervsegError("no such file", where="a.png"), "no such file: a.png"),
        (CervsegError("no such file", hint="Name another."), "no such file\nhint: Name another."),
        (
            CervsegError("2 findings:\n  a\n  b", where="x", hint="Fix."),
            "2 findings: x\n  a\n  b\nhint: Fix.",
        ),
    ],
)
def test_an_error_is_what_where_and_hint(problem: CervsegError, text: str) -> None:
    """What and where are one line, the hint is another, with details between them."""
    assert str(problem) == text


def test_an_error_survives_a_worker_process() -> None:
    """Pickling keeps the type and all parts."""
    copy = pickle.loads(pickle.dumps(PlanError("bad", where="plans.json", hint="Plan again.")))
    assert type(copy) is PlanError
    assert (copy.what, copy.where, copy.hint) == ("bad", "plans.json", "Plan again.")


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (DatasetError("no mask", where="case 3", hint="Add it."), "no mask: case 3 (Add it.)"),
        (DatasetError("2 findings:\n  a\n  b", where="case 3"), "2 findings: case 3"),
        (FileNotFoundError(2, "No such file or directory", "a.png"), "No such file or directory: a.png"),
        (KeyError("network"), "KeyError: 'network'"),
        (NotImplementedError(), "NotImplementedError"),
        (RuntimeError("\n  first\nsecond"), "RuntimeError: first"),
        (RuntimeError("in loading:\n\tmissing key a\n\tb"), "RuntimeError: in loading: missing key a"),
        (SyntaxError("invalid syntax", ("a.py", 3, 1, "x =")), "SyntaxError: invalid syntax"),
    ],
)
def test_every_exception_in_one_line(problem: Exception, text: str) -> None:
    """Errors of cervseg, of the operating system and of other libraries."""
    assert one_line(problem) == text
