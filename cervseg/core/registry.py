"""Plug-ins by entry point: listed without importing them, loaded one at a time."""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from cervseg.core.errors import PluginError

TRAINERS = "cervseg.trainers"
NETWORKS = "cervseg.networks"


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
                mend="Uninstall one of the packages or rename its entry point.",
            )
        found[point.name] = point
    return dict(sorted(found.items()))


def find(group: str, name: str) -> EntryPoint:
    """The entry point ``name`` of ``group``, not imported.

    Raises:
        PluginError: there is none of that name; the nearest names are suggested.
    """
    points = available(group)
    if name not in points:
        near = difflib.get_close_matches(name, points, n=3, cutoff=0.4) or list(points)
        raise PluginError(f"no plug-in {name!r}", where=group, mend=f"Did you mean {' or '.join(near)}?")
    return points[name]


def load(group: str, name: str) -> Any:
    """Import and return the plug-in ``name`` of ``group``.

    Raises:
        PluginError: there is none of that name, or its import fails.
    """
    point = find(group, name)
    try:
        return point.load()
    except (ImportError, AttributeError) as problem:
        raise PluginError(f"plug-in {name!r} cannot be imported ({problem})", where=point.value) from problem
