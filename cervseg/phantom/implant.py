"""Anterior cervical plate with screws and cages (anterior cervical discectomy and fusion, ACDF)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from cervseg.phantom.solid import TITANIUM_PER_MM, Solid, band, smooth_outline
from cervseg.phantom.vertebra import Vertebra


@dataclass(frozen=True, kw_only=True)
class Implant:
    """A plate in front of neighbouring bodies, two screws per body, a cage in each disc.

    Args:
        vertebrae: operated vertebrae, from top to bottom.
        screw_mm: length of a screw in mm.
        screw_angle_deg: angle of the screws to the plate's normal, up and down.
    """

    vertebrae: tuple[Vertebra, ...]
    screw_mm: float
    screw_angle_deg: float

    def solids(self) -> list[Solid]:
        """List the solids of plate, screws and cages, in mm."""
        front = []
        for vertebra in self.vertebrae:
            x, h = -vertebra.body_width_mm / 2 - 1.4, vertebra.body_height_mm / 2 - 2.0
            front += [tuple(p) for p in vertebra.pose.apply(np.array([[x, -h], [x, h]]))]
        plate = band(front, [2.4] * len(front))
        solids = [Solid(outline_mm=plate, depth_mm=9, edge_mm=0.9, inside_per_mm=TITANIUM_PER_MM * 0.5)]
        for vertebra in self.vertebrae:
            solids += self._screws(vertebra)
        return solids + [self._cage(a, b) for a, b in itertools.pairwise(self.vertebrae)]

    def _screws(self, vertebra: Vertebra) -> list[Solid]:
        x0 = -vertebra.body_width_mm / 2 - 1.5
        solids = []
        for side in (-1, 1):
            angle = np.deg2rad(self.screw_angle_deg * side)
            along = np.arange(0.0, self.screw_mm, 0.55)
            axis = np.array([np.cos(angle), np.sin(angle)])
            line = np.array([x0, side * 1.2]) + along[:, None] * axis
            # Threads: the width alternates; the head is wider.
            widths = np.where(np.arange(len(along)) % 2 == 0, 3.4, 2.5)
            widths[:2], widths[-2:] = 4.4, (2.0, 1.0)
            across = np.array([-axis[1], axis[0]]) * widths[:, None] / 2
            outline = vertebra.pose.apply(np.concatenate([line + across, (line - across)[::-1]]))
            solids.append(Solid(outline_mm=outline, depth_mm=3.4, edge_mm=1.6, inside_per_mm=TITANIUM_PER_MM))
        return solids

    def _cage(self, above: Vertebra, below: Vertebra) -> Solid:
        w = below.body_width_mm / 2 - 2.5
        top = above.pose.apply(np.array([[-w, above.body_height_mm / 2], [w, above.body_height_mm / 2]]))
        bottom = below.pose.apply(np.array([[w, -below.body_height_mm / 2], [-w, -below.body_height_mm / 2]]))
        outline = smooth_outline(np.concatenate([top, bottom]), num_between=4)
        return Solid(outline_mm=outline, depth_mm=13, edge_mm=2, shell_mm=1.0, inside_per_mm=0.012)


def draw_implant(rng: np.random.Generator, vertebrae: list[Vertebra]) -> Implant:
    """Draw one to three operated segments between C3 and C7."""
    first, segments = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    return Implant(
        vertebrae=tuple(vertebrae[first : min(first + segments + 1, 6)]),
        screw_mm=float(rng.uniform(11.0, 14.0)),
        screw_angle_deg=float(rng.uniform(4.0, 12.0)),
    )
