"""Errors that a user can solve: what is wrong, where, and what to do about it."""

from __future__ import annotations


class CervsegError(Exception):
    """An error that the user can solve.

    ``str(error)`` is ``<what>: <where>``, and ``hint: <hint>`` in a second line where there is a hint. The
    command line prints it after ``error: `` and exits with code 2.

    Args:
        what: what is wrong, a short phrase without a full stop. Details may follow in further lines.
        where: the file, case or option that it concerns, or empty.
        hint: what to do about it, or empty.
    """

    def __init__(self, what: str, *, where: object = "", hint: str = "") -> None:
        self.what = what
        self.where = str(where)
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        first, *details = self.what.split("\n")
        if self.where:
            first = f"{first.removesuffix(':')}: {self.where}"
        return "\n".join([first, *details, *([f"hint: {self.hint}"] if self.hint else [])])

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # Worker processes send exceptions by pickle, which does not know keyword-only arguments.
        return _rebuild, (type(self), self.what, self.where, self.hint)


class DatasetError(CervsegError):
    """A dataset folder, its dataset.json, its cases or its splits are invalid."""


class PlanError(CervsegError):
    """A plan or fingerprint is missing, unreadable or asks for something impossible."""


class PluginError(CervsegError):
    """A trainer or network plug-in is missing, registered twice or breaks its contract."""


class CheckpointError(CervsegError):
    """A checkpoint or weights file is missing, damaged or does not fit."""


class ImageError(CervsegError):
    """An image file cannot be read or does not hold a usable image."""


def one_line(problem: BaseException) -> str:
    """Describe an exception in one line, for tables, logs and other errors' texts.

    A CervsegError becomes ``what: where (hint)``, an error of the operating system ``reason: file``, any
    other exception ``Type: message``. Of a longer message only the first line is kept, with the second one
    where the first ends in a colon.
    """
    if isinstance(problem, CervsegError):
        first = str(problem).splitlines()[0]
        return f"{first} ({problem.hint})" if problem.hint else first
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.strerror}: {problem.filename}" if problem.filename else problem.strerror
    text = problem.msg if isinstance(problem, SyntaxError) else str(problem)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    message = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    return f"{type(problem).__name__}: {message}".removesuffix(": ")


def as_cervseg_error(problem: Exception, *, where: object) -> CervsegError:
    """Turn any exception into an error at ``where``; a CervsegError is returned unchanged."""
    return problem if isinstance(problem, CervsegError) else CervsegError(one_line(problem), where=where)


def _rebuild(kind: type[CervsegError], what: str, where: str, hint: str) -> CervsegError:
    return kind(what, where=where, hint=hint)
