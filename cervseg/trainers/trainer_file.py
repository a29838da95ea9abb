"""A trainer from a Python file, for a first try; a permanent one becomes a package (docs/PLUGINS.md)."""

from __future__ import annotations

from pathlib import Path

from cervseg.core.errors import PluginError
from cervseg.core.registry import TRAINERS, import_file, register
from cervseg.training.trainer import Trainer


def register_trainer_file(path: Path, *, name: str | None = None) -> str:
    """Register the trainer that a file defines under its class name.

    Args:
        path: a Python file.
        name: of the class, where the file defines several trainers.

    Returns:
        The class name.

    Raises:
        PluginError: the file fails, defines no such trainer or several, or the name is taken.
    """
    module = import_file(path)
    found = {
        value.__name__: value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Trainer) and value.__module__ == module.__name__
    }
    if not found:
        raise PluginError(
            "no trainer in this file", where=path, hint="Subclass cervseg.training.trainer.Trainer in it"
        )
    names = " and ".join(found)
    if name is None and len(found) > 1:
        raise PluginError(
            f"several trainers ({names})", where=path, hint="Name one of them after the dataset, or with -tr"
        )
    name = name or next(iter(found))
    if name not in found:
        raise PluginError(f"no trainer {name!r}", where=path, hint=f"It defines {names}")
    register(TRAINERS, name, found[name])
    return name
