"""What a user is told when something is wrong: what, where, and how to mend it."""

from __future__ import annotations


class CervsegError(Exception):
    """An error that its user can mend.

    Args:
        what: what is wrong, one short sentence without a full stop.
        where: the file, case or option it concerns; empty if there is none.
        mend: what to do about it; empty if there is nothing to say.

    The command line prints ``str(error)`` as one line and exits with code 2.
    """

    def __init__(self, what: str, *, where: object = "", hint: str = "") -> None:
        self.what = what
        self.where = str(where)
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # Exceptions cross process borders; keyword-only arguments need this to survive pickling.
        return _rebuild, (type(self), self.what, self.where, self.hint)


class DatasetError(CervsegError):
    """A dataset folder, its dataset.json, its cases or its splits are not as they must be."""


class PlanError(CervsegError):
    """A plan or fingerprint is missing, unreadable or asks for something impossible."""


class PluginError(CervsegError):
    """A trainer or network plug-in is missing, doubled or breaks its contract."""


class CheckpointError(CervsegError):
    """A checkpoint or weights file is missing, broken or does not fit."""


class ImageError(CervsegError):
    """An image file cannot be read or does not hold a usable image."""


def _rebuild(kind: type[CervsegError], what: str, where: str, hint: str) -> CervsegError:
    return kind(what, where=where, hint=hint)
