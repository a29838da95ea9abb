"""Plug-ins by entry point or from a file: listed without importing them, loaded one by one."""

from __future__ import annotations

import difflib
import importlib.util
import re
import sys
import traceback
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from cervseg.core.errors import PluginError, as_cervseg_error, one_line

TRAINERS = "cervseg.trainers"
NETWORKS = "cervseg.networks"

_registered: dict[str, dict[str, Any]] = {TRAINERS: {}, NETWORKS: {}}


def available(group: str) -> dict[str, EntryPoint]:
    """Name -> entry point of every plug-in in ``group``; nothing is imported.

    Raises:
        PluginError: two packages register different objects under one name.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = found.get(point.name)
        if other is not None and other.value != point.value:
            raise PluginError(
                f"two plug-ins are called {point.name!r} ({other.value} and {point.value})",
                where=group,
                hint="Uninstall one of the packages or rename its entry point.",
            )
        found[point.name] = point
    for name, plugin in _registered[group].items():
        found[name] = EntryPoint(name=name, value=_value(plugin), group=group)
    return dict(sorted(found.items()))


def find(group: str, name: str) -> EntryPoint:
    """Find the entry point ``name`` of ``group`` without importing it.

    Raises:
        PluginError: the name is unknown; the nearest names are suggested.
    """
    points = available(group)
    if name not in points:
        near = difflib.get_close_matches(name, points, n=3, cutoff=0.5)
        hints = [f"Did you mean {' or '.join(near)}?"] if near else []
        if group == NETWORKS:  # in most cases of a checkpoint that a plug-in wrote
            hints.append("Else install the plug-in that it is from, or give its --trainer-file.")
        hint = " ".join(hints) or "cervseg_trainers lists all trainers."
        raise PluginError(f"no plug-in {name!r}", where=group, hint=hint)
    return points[name]


def load(group: str, name: str) -> Any:
    """Import and return the plug-in ``name`` of ``group``.

    Raises:
        PluginError: the name is unknown, or its import fails.
    """
    if name in _registered[group]:
        return _registered[group][name]
    point = find(group, name)
    try:
        return point.load()
    except Exception as problem:  # importing runs somebody's code
        raise PluginError(
            f"plug-in {name!r} cannot be imported ({one_line(problem)})", where=point.value
        ) from problem


def source_of(point: EntryPoint) -> str:
    """Name the package of a plug-in with its version, or the module of one that a file registered."""
    return point.module if point.dist is None else f"{point.dist.name} {point.dist.version}"


def register(group: str, name: str, plugin: Any) -> None:
    """Register a class or function as a plug-in of this process, without a package.

    Registering it again (its file was imported again) replaces it.

    Raises:
        PluginError: the name is taken.
    """
    other = available(group).get(name)
    if other is not None and other.value != _value(plugin):
        raise PluginError(
            f"the name {name!r} is taken ({other.value})", where=group, hint="Choose another name."
        )
    _registered[group][name] = plugin


def import_file(path: Path) -> ModuleType:
    """Import a file that holds plug-ins; it calls :func:`register` for its networks.

    Raises:
        PluginError: the file is missing or fails; the error names the line.
    """
    if not path.is_file():
        raise PluginError("no such file", where=path, hint="Name a Python file with a trainer in it.")
    name = "cervseg_file_" + re.sub(r"\W", "_", path.stem)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError("not a Python file", where=path, hint="Its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as problem:  # somebody's code
        where = f"{path}:{_line(problem, path)}"
        error = as_cervseg_error(problem, where=where)
        raise PluginError(error.what, where=where, hint=error.hint) from problem
    return module


def _value(plugin: Any) -> str:
    return f"{plugin.__module__}:{plugin.__qualname__}"


def _line(problem: Exception, path: Path) -> int:
    """The line of a file that an exception passed last, or that cannot be parsed."""
    if isinstance(problem, SyntaxError) and problem.filename == str(path):
        return problem.lineno or 1
    frames = traceback.extract_tb(problem.__traceback__)
    return next((frame.lineno or 1 for frame in reversed(frames) if frame.filename == str(path)), 1)
