"""Polygons of masks: the outline of every connected component and of its holes, with few points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours

# How far an outline may deviate from the mask's. Phantoms of 500 to 1400 px are restored with a Dice of at
# least 0.995 at 0.5 px (50 points a process), 0.99 at 0.7 px (26 points) and 0.985 at 1 px (16 points).
TOLERANCE_PX = 0.5
_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True, kw_only=True)
class Outline:
    """One connected component of a mask.

    Args:
        outer: N x 2 float (x, y) in px; pixel (0, 0) covers 0 to 1 both ways, as in LabelMe and COCO.
        holes: the same for every hole.
        area_px: number of pixels, without the holes.
        box: (x, y, width, height) in px.
        place: rows and columns of the component's bounding box.
        inside: its pixels in the bounding box, h x w bool.
    """

    outer: np.ndarray
    holes: tuple[np.ndarray, ...]
    area_px: int
    box: tuple[int, int, int, int]
    place: tuple[slice, slice]
    inside: np.ndarray


def outlines(mask: np.ndarray, *, tolerance_px: float = TOLERANCE_PX) -> list[Outline]:
    """Outline the connected components of a mask (8-connectivity), from top to bottom.

    Args:
        mask: H x W, 0 is background.
        tolerance_px: how far the polygons may deviate (Douglas and Peucker 1973); 0 keeps the corners of all
            pixels, so that the filled polygons give exactly the same mask.

    Returns:
        One outline per component.
    """
    labels, _ = ndimage.label(mask, _EIGHT)
    found = []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = place
        inside = labels[place] == number
        rings = [
            # find_contours counts from pixel centres, annotation tools from pixel corners.
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
    """Join a polygon and its holes into one polygon, by a line to each hole and back at the nearest points.

    Tools without holes fill the result correctly.

    Args:
        outer: N x 2 (x, y).
        holes: the same for each hole.

    Returns:
        M x 2 (x, y).
    """
    ring = outer
    # From left to right, so that no line crosses a hole that is not joined yet.
    for hole in sorted(holes, key=lambda points: float(points[:, 0].min())):
        distances = np.hypot(*(ring[:, np.newaxis] - hole[np.newaxis]).transpose(2, 0, 1))
        at, start = np.unravel_index(int(np.argmin(distances)), distances.shape)
        rolled = np.roll(hole, -int(start), axis=0)
        ring = np.concatenate([ring[: at + 1], rolled, rolled[:1], ring[at:]])
    return ring


def _thinned(ring: np.ndarray, tolerance_px: float) -> np.ndarray:
    """Simplify a closed ring of N + 1 points to an open one; a ring that would vanish is kept."""
    if tolerance_px <= 0:
        return np.asarray(ring[:-1])
    # The ends of a line are always kept, so the ring is cut at its farthest point into two lines.
    far = int(np.argmax(np.hypot(*(ring - ring[0]).T)))
    halves = (approximate_polygon(part, tolerance_px) for part in (ring[: far + 1], ring[far:]))
    thin = np.concatenate([half[:-1] for half in halves])
    return thin if len(thin) >= 3 else np.asarray(ring[:-1])


def _area(ring: np.ndarray) -> float:
    x, y = ring.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
