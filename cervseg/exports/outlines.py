"""Masks into polygons: the outline of every connected part, its holes apart, with few points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours

# How far an outline may stray from the mask's. Phantoms of 500 to 1400 px come back with a Dice of at least
# 0.995 at 0.5 px (50 points a process), 0.99 at 0.7 px (26 points) and 0.985 at 1 px (16 points).
TOLERANCE_PX = 0.5
_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True, kw_only=True)
class Outline:
    """One connected part of a mask.

    Args:
        outer: N x 2 float (x, y) in px; pixel (0, 0) reaches from 0 to 1 either way, as in LabelMe and COCO.
        holes: the same for every hole in it.
        area_px: its number of pixels, without the holes.
        box: (x, y, width, height) in px.
        place: rows and columns that it lies in.
        inside: its pixels there, h x w bool.
    """

    outer: np.ndarray
    holes: tuple[np.ndarray, ...]
    area_px: int
    box: tuple[int, int, int, int]
    place: tuple[slice, slice]
    inside: np.ndarray


def outlines(mask: np.ndarray, *, tolerance_px: float = TOLERANCE_PX) -> list[Outline]:
    """The connected parts of a mask, from top to bottom; parts that touch by their corners are one.

    Args:
        mask: H x W, 0 = not in it.
        tolerance_px: how far the polygons may stray (Douglas and Peucker 1973); 0 keeps every pixel's corner,
            so that the polygons filled by their pixels' centres give the mask again, exactly.
    """
    labels, _ = ndimage.label(mask, _EIGHT)
    found = []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = place
        inside = labels[place] == number
        rings = [
            # Contours run through pixel centres' middles; ours are counted from pixels' corners.
            _thinned(ring[:, ::-1] - 0.5, tolerance_px) + np.array([columns.start, rows.start])
            for ring in find_contours(np.pad(inside, 1).astype(float), 0.5, fully_connected="high")
        ]
        sizes = [abs(_area(ring)) for ring in rings]
        outer = int(np.argmax(sizes))
        found.append(
            Outline(
                outer=rings[outer],
                holes=tuple(ring for k, ring in enumerate(rings) if k != outer and len(ring) >= 3),
                area_px=int(inside.sum()),
                box=(columns.start, rows.start, inside.shape[1], inside.shape[0]),
                place=place,
                inside=inside,
            )
        )
    return found


def bridged(outer: np.ndarray, holes: Sequence[np.ndarray]) -> np.ndarray:
    """One polygon with holes: each is reached and left by the same line, at the places that are nearest.

    So tools that know no holes show and fill it rightly.
    """
    ring = outer
    # From the left to the right, so that no bridge runs through a hole that is still to come.
    for hole in sorted(holes, key=lambda points: float(points[:, 0].min())):
        distances = np.hypot(*(ring[:, np.newaxis] - hole[np.newaxis]).transpose(2, 0, 1))
        at, start = np.unravel_index(int(np.argmin(distances)), distances.shape)
        turned = np.roll(hole, -int(start), axis=0)
        ring = np.concatenate([ring[: at + 1], turned, turned[:1], ring[at:]])
    return ring


def _thinned(ring: np.ndarray, tolerance_px: float) -> np.ndarray:
    """A closed ring, N + 1 points, as an open one of fewer; a ring that would vanish stays as it is."""
    if tolerance_px <= 0:
        return np.asarray(ring[:-1])
    # Its ends are kept whatever the tolerance: halves of the ring are thinned, cut where it reaches farthest.
    far = int(np.argmax(np.hypot(*(ring - ring[0]).T)))
    halves = (approximate_polygon(part, tolerance_px) for part in (ring[: far + 1], ring[far:]))
    thin = np.concatenate([half[:-1] for half in halves])
    return thin if len(thin) >= 3 else np.asarray(ring[:-1])


def _area(ring: np.ndarray) -> float:
    x, y = ring.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
