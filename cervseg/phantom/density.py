"""Attenuation of groups of solids in the wide domain, each group varied on its own (as in SynthSeg)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from cervseg.phantom.solid import Solid

# Name of the part -> range of the factor of its attenuation; parts that are not listed use the first entry.
_RANGES = {
    "": (0.6, 1.5),
    "neck": (0.75, 1.3),
    "shoulders": (0.5, 1.6),
    "airway": (0.3, 1.3),
    "cartilage": (0.0, 2.0),
    "hyoid": (0.5, 1.6),
    "implant": (0.7, 1.3),
    "pillars": (0.35, 1.15),
    "lamina": (0.3, 1.2),
    "head arch": (0.8, 1.7),
    "head process": (0.8, 1.7),
    "process": (0.35, 1.1),
}
_LEVEL = re.compile(r"^[CT]\d ")


@dataclass(frozen=True, kw_only=True)
class Densities:
    """Factors of the attenuation per part.

    Args:
        inside: group -> factor of ``inside_per_mm``.
        shell: group -> factor of ``shell_per_mm``.
        levels: "C2".."T2" -> factor of both for this vertebra.
    """

    inside: dict[str, float]
    shell: dict[str, float]
    levels: dict[str, float]

    def apply(self, parts: dict[str, list[Solid]]) -> list[Solid]:
        """Scale the attenuation of every solid.

        Args:
            parts: name -> solids, see :meth:`~cervseg.phantom.anatomy.Anatomy.parts`.

        Returns:
            All solids, in the same order.
        """
        solids: list[Solid] = []
        for name, part in parts.items():
            group, level = _group(name), self.levels.get(name[:2], 1.0)
            inside, shell = level * self.inside.get(group, 1.0), level * self.shell.get(group, 1.0)
            solids += [
                replace(s, inside_per_mm=s.inside_per_mm * inside, shell_per_mm=s.shell_per_mm * shell)
                for s in part
            ]
        return solids


def draw_densities(rng: np.random.Generator, parts: dict[str, list[Solid]]) -> Densities:
    """Draw the factors; inside and shell of a group differ by up to a quarter.

    Args:
        rng: random generator.
        parts: name -> solids; their names determine the groups.
    """
    inside, shell = {}, {}
    bone = float(rng.uniform(0.75, 1.3))
    for group in dict.fromkeys(map(_group, parts)):
        low, high = _RANGES.get(group, _RANGES[""])
        inside[group] = float(rng.uniform(low, high))
        if group not in ("neck", "shoulders", "airway"):
            inside[group] = float(np.sqrt(inside[group] * bone * inside[group]))
        shell[group] = inside[group] * float(rng.uniform(0.75, 1.25))
    names = dict.fromkeys(name[:2] for name in parts if _LEVEL.match(name))
    return Densities(inside=inside, shell=shell, levels={n: float(rng.uniform(0.85, 1.15)) for n in names})


def _group(name: str) -> str:
    """Return the group of a part: "C5 body" and "T1 body" are one group."""
    return _LEVEL.sub("", name)
