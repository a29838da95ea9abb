"""Drawn shapes and their masks: polygons, rectangles and circles with label names, from annotation tools.

Coordinates are (x, y) in px as LabelMe and COCO have them: pixel (0, 0) reaches from 0 to 1 either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from skimage.draw import polygon as pixels_inside

from cervseg.convert.rle import decode
from cervseg.core.errors import DatasetError

# Labels with which annotation tools erase.
BACKGROUND = ("background", "_background_")
_NUM_CIRCLE_SIDES = 180


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One annotated area.

    Args:
        label: its name as annotated.
        parts: polygons, each N x 2 float (x, y); the area is their union.
        mask: alternatively h x w bool.
        corner: (x, y) of the mask's upper left pixel on the image.
        runs: alternatively COCO's run lengths, plain or as text.
        runs_size: (height, width) of the mask that the run lengths encode.
    """

    label: str
    parts: tuple[np.ndarray, ...] = ()
    mask: np.ndarray | None = None
    corner: tuple[int, int] = (0, 0)
    runs: str | Sequence[int] | None = None
    runs_size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A drawn mask.

    Args:
        mask: H x W uint8 label numbers.
        has_overlap: whether shapes of different labels overlap; the later one wins.
        num_clipped: number of shapes that reach beyond the image.
    """

    mask: np.ndarray
    has_overlap: bool
    num_clipped: int


def rectangle(points: np.ndarray) -> np.ndarray:
    """Return the four corners of the rectangle around N x 2 points."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def circle(centre: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """Return a circle around (x, y) through (x, y), as a polygon of the same area."""
    turn = 2 * np.pi / _NUM_CIRCLE_SIDES
    radius = np.hypot(*(rim - centre)) * np.sqrt(turn / np.sin(turn))
    angles = np.arange(_NUM_CIRCLE_SIDES) * turn
    return np.asarray(centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1))


def draw(shapes: Sequence[Shape], size: tuple[int, int], numbers: Mapping[str, int]) -> Drawn:
    """Draw shapes one after another; a pixel belongs to a polygon if its centre does (even-odd rule).

    Args:
        shapes: the shapes; later ones are drawn over earlier ones.
        size: (height, width) in px.
        numbers: label name -> number in the mask; shapes of other names are not drawn.

    Raises:
        DatasetError: run lengths do not fit the image; the error has no ``where``.
    """
    mask = np.zeros(size, np.uint8)
    has_overlap, num_clipped = False, 0
    for shape in shapes:
        number = 0 if shape.label in BACKGROUND else numbers.get(shape.label)
        if number is None:
            continue
        inside, is_clipped = _area(shape, size)
        num_clipped += is_clipped
        before = mask[inside]
        has_overlap |= bool(number and np.any((before != 0) & (before != number)))
        mask[inside] = number
    return Drawn(mask=mask, has_overlap=has_overlap, num_clipped=num_clipped)


def _area(shape: Shape, size: tuple[int, int]) -> tuple[np.ndarray, bool]:
    """Fill a shape: H x W bool, and whether it reaches beyond the image by more than a pixel."""
    inside = np.zeros(size, bool)
    if shape.runs is not None and shape.runs_size != size:
        (height, width) = shape.runs_size
        raise DatasetError(f"run lengths are for {width} x {height} pixels, not {size[1]} x {size[0]}")
    mask = shape.mask if shape.runs is None else decode(shape.runs, size)
    if mask is not None:
        (x, y), (height, width) = shape.corner, mask.shape
        target = inside[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)]
        part = mask[max(0, -y) :, max(0, -x) :]
        target |= part[: target.shape[0], : target.shape[1]]
        return inside, bool(inside.sum() < mask.sum())
    is_clipped = False
    for points in shape.parts:
        rows, columns = pixels_inside(points[:, 1] - 0.5, points[:, 0] - 0.5, shape=size)
        inside[rows, columns] = True
        low, high = points.min(axis=0), points.max(axis=0)
        is_clipped |= bool((low < -1).any() or (high > np.array(size[::-1]) + 1).any())
    return inside, is_clipped
