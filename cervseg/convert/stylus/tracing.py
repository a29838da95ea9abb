"""The mask of one picture with red tracings: find strokes, close gaps, fill outlines (paper, 2.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from cervseg.convert.stylus.outline import distance_to, inside_of, num_between
from cervseg.convert.stylus.redpen import cut_of, red_chroma
from cervseg.convert.stylus.strokes import EIGHT, Joint, draw_joints, join_ends, stroke_width

# Limits for a tracing, as shares of the image's area, sides and perimeter.
MIN_AREA = 0.0002
MAX_AREA = 0.3
_MAX_ON_BORDER = 0.08
_SPECK = 0.02
# A stroke is open if its enclosed area is a smaller share of its convex hull than this. A tracing is mostly
# outline; a letter such as R has much stroke away from any enclosed area.
_MIN_ENCLOSED = 0.05
_MAX_LOOSE = 0.4
_MAX_LETTER = 0.08
_LETTER_LOOSE = 0.12
_LETTER_ENCLOSED = 0.32
_MIN_STROKE_PX = 4
# Outlines are drawn this much finer than the image to find their middle.
_FINE = 3
_MAX_FINE_SIDE_PX = 2000


class Kind(Enum):
    """The kind of a connected red object."""

    OUTLINE = "outline"
    LOOSE = "outline with a loose stroke"
    OPEN = "open"
    LETTER = "letter"
    SPECK = "speck"


@dataclass(frozen=True, kw_only=True)
class Tracing:
    """The tracing of one picture.

    Args:
        mask: H x W uint8 {0, 1}.
        areas_px: areas of its connected components, largest first.
        width_px: usual width of the strokes.
        gaps_px: gaps in open strokes that were closed by a straight line, largest first.
        num_open: number of strokes that enclose nothing even with joined ends; they are not in the mask.
        num_between: number of enclosed areas between other outlines. They are in the mask, which is right
            where tracings overlap, and wrong where two only touch in two places.
        num_other: number of red objects that are not tracings: frames, letters, and areas that are too small.
        touches_border: whether the mask reaches the image's border.
    """

    mask: np.ndarray
    areas_px: tuple[int, ...]
    width_px: float
    gaps_px: tuple[float, ...]
    num_open: int
    num_between: int
    num_other: int
    touches_border: bool


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One connected red object: its number in the label map, and its bounding box."""

    number: int
    place: tuple[slice, slice]


def read_tracing(picture: np.ndarray, *, edge: str = "middle") -> Tracing:
    """Fill the red outlines of a picture.

    Args:
        picture: H x W x 3 uint8 RGB, an image with tracings.
        edge: where a mask ends: on the "middle" of the stroke, where the annotator aimed; on its "outer"
            side, as if the strokes' own contours were filled; or on its "inner" side.

    Returns:
        The mask, empty if no stroke encloses an area, and facts about the tracing.
    """
    chroma = red_chroma(picture)
    cut = cut_of(chroma)
    if cut is None:
        return _empty(chroma.shape)
    labels, parts = _parts(chroma >= cut)
    width_px = stroke_width(labels > 0)
    frames = [part.number for part in parts if _is_frame(labels, part)]
    lines = np.where(np.isin(labels, frames), 0, labels)
    joints = join_ends(lines, width_px=width_px)
    labels, parts = _parts(draw_joints(lines > 0, joints, width_px=width_px))
    kinds = {part.number: _kind(labels, part, width_px=width_px) for part in parts}
    return _filled(
        chroma, cut, labels, parts, kinds, joints, width_px=width_px, edge=edge, num_frames=len(frames)
    )


def _filled(
    chroma: np.ndarray,
    cut: float,
    labels: np.ndarray,
    parts: Sequence[_Part],
    kinds: dict[int, Kind],
    joints: Sequence[Joint],
    *,
    width_px: float,
    edge: str,
    num_frames: int,
) -> Tracing:
    mask = np.zeros(chroma.shape, np.uint8)
    min_px = MIN_AREA * mask.size
    num_other, between, gaps = 0, 0, []
    for part in parts:
        if kinds[part.number] not in (Kind.OUTLINE, Kind.LOOSE):
            continue
        ours = [joint for joint in joints if _belongs(joint, labels, part)]
        inside, place = _outline_filled(chroma, cut, labels, part, ours, width_px=width_px, edge=edge)
        if inside.sum() < min_px:
            num_other += 1
            continue
        mask[place] |= inside
        gaps += [joint.gap_px for joint in ours]
        between += num_between(labels[part.place] == part.number, width_px=width_px)
    found = [kinds[part.number] for part in parts]
    sizes = np.bincount(ndimage.label(mask, EIGHT)[0].ravel())[1:]
    return Tracing(
        mask=mask,
        areas_px=tuple(sorted((int(size) for size in sizes), reverse=True)),
        width_px=width_px,
        gaps_px=tuple(sorted(gaps, reverse=True)),
        num_open=found.count(Kind.OPEN) + found.count(Kind.LOOSE),
        num_between=between,
        num_other=num_other + num_frames + found.count(Kind.LETTER),
        touches_border=bool(_on_border(mask, depth=1 + round(width_px))),
    )


def _outline_filled(
    chroma: np.ndarray,
    cut: float,
    labels: np.ndarray,
    part: _Part,
    joints: Sequence[Joint],
    *,
    width_px: float,
    edge: str,
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Fill one outline: uint8 {0, 1} for a part of the image, and the rows and columns of that part."""
    margin = 3
    rows, columns = part.place
    top, left = max(0, rows.start - margin), max(0, columns.start - margin)
    place = slice(top, rows.stop + margin), slice(left, columns.stop + margin)
    crop = labels[place]
    # Keep the soft edges below the cut, which place the stroke's border between pixels; drop other strokes.
    near = ndimage.binary_dilation(crop == part.number, EIGHT, 2) & ((crop == 0) | (crop == part.number))
    red = np.where(near, chroma[place], 0)
    height, width = red.shape
    fine = max(1, min(_FINE, _MAX_FINE_SIDE_PX // max(height, width)))
    size = fine * width, fine * height
    strokes = cv2.resize(red, size, interpolation=cv2.INTER_LINEAR) >= cut
    # Interpolation would open a thin stroke whose pixels touch only by their corners.
    thread = skeletonize(crop == part.number).astype(np.uint8)
    strokes |= cv2.resize(thread, size, interpolation=cv2.INTER_NEAREST) > 0
    moved = [_moved(joint, left=left, top=top, factor=fine) for joint in joints]
    strokes = draw_joints(strokes, moved, width_px=fine * width_px)
    inside = inside_of(np.pad(strokes, 1), edge=edge)[1:-1, 1:-1].astype(np.float32)
    share = cv2.resize(inside, (width, height), interpolation=cv2.INTER_AREA)
    return (share > 0.5).astype(np.uint8), place


def _is_frame(labels: np.ndarray, part: _Part) -> bool:
    """Decide whether a part runs along the image's border or around most of the image."""
    height, width = labels.shape
    stroke = labels[part.place] == part.number
    if _touches(part, labels.shape) and (
        _on_border(labels == part.number) > _MAX_ON_BORDER * 2 * (height + width)
    ):
        return True
    if stroke.size < MAX_AREA * labels.size:
        return False
    return bool(ndimage.binary_fill_holes(stroke).sum() > MAX_AREA * labels.size)


def _kind(labels: np.ndarray, part: _Part, *, width_px: float) -> Kind:
    stroke = labels[part.place] == part.number
    enclosed = ndimage.binary_fill_holes(stroke) & ~stroke
    hull = cv2.convexHull(np.argwhere(stroke)[:, ::-1].astype(np.int32))
    share = float(enclosed.sum()) / max(cv2.contourArea(hull), 1.0)
    if share < _MIN_ENCLOSED:
        return Kind.SPECK if max(stroke.shape) < _SPECK * max(labels.shape) else Kind.OPEN
    far = stroke & (distance_to(np.pad(enclosed, 1))[1:-1, 1:-1] > 1.5 * width_px + 1)
    loose = far.sum() / stroke.sum()
    if max(stroke.shape) < _MAX_LETTER * max(labels.shape) and (
        loose > _MAX_LOOSE or (loose > _LETTER_LOOSE and share < _LETTER_ENCLOSED)
    ):
        return Kind.LETTER
    return Kind.LOOSE if loose > _LETTER_LOOSE else Kind.OUTLINE


def _parts(strokes: np.ndarray) -> tuple[np.ndarray, list[_Part]]:
    """Label connected strokes; those of only a few pixels are dropped."""
    labels, _ = ndimage.label(strokes, EIGHT)
    sizes = np.bincount(labels.ravel())
    labels = np.where(sizes[labels] >= _MIN_STROKE_PX, labels, 0)
    return labels, list(_places(labels))


def _places(labels: np.ndarray) -> Iterator[_Part]:
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        if place is not None:
            yield _Part(number=number, place=place)


def _belongs(joint: Joint, labels: np.ndarray, part: _Part) -> bool:
    column, row = (round(value) for value in joint.start)
    return bool(labels[row, column] == part.number)


def _moved(joint: Joint, *, left: int, top: int, factor: int) -> Joint:
    """Move a joint to the frame of a crop that is ``factor`` times finer."""
    start, end = (
        (factor * (x - left + 0.5) - 0.5, factor * (y - top + 0.5) - 0.5) for x, y in (joint.start, joint.end)
    )
    return Joint(start=start, end=end, gap_px=joint.gap_px)


def _touches(part: _Part, shape: tuple[int, ...]) -> bool:
    return any(s.start == 0 or s.stop == side for s, side in zip(part.place, shape))


def _on_border(mask: np.ndarray, *, depth: int = 1) -> int:
    return int(np.count_nonzero(mask) - np.count_nonzero(mask[depth:-depth, depth:-depth]))


def _empty(shape: tuple[int, ...]) -> Tracing:
    return Tracing(
        mask=np.zeros(shape, np.uint8),
        areas_px=(),
        width_px=0.0,
        gaps_px=(),
        num_open=0,
        num_between=0,
        num_other=0,
        touches_border=False,
    )
