"""The closing of open strokes: straight lines join the ends of lines, the most likely pair first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage
from skimage.draw import polygon
from skimage.morphology import skeletonize

# A gap is closed if it is at most this share of the stroke's length: as in a letter C, not in a line.
MAX_GAP = 0.4
# The same for two separate strokes: dashes of one line are closer than two outlines.
MAX_FOREIGN_GAP = 0.15
# The same for an end that is joined to the side of a line.
MAX_SIDE_GAP = 0.2
# A stroke keeps its direction: a joint at right angles to both ends costs three times its length. A joint
# between separate strokes costs this factor more.
_FOREIGN = 1.5
_NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
# The ends of a stroke's middle line are uncertain by this share of its width.
SPUR = 0.7
EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True, kw_only=True)
class Joint:
    """A line that closes a gap, from (x, y) to (x, y); ``gap_px`` is its length outside strokes."""

    start: tuple[float, float]
    end: tuple[float, float]
    gap_px: float


@dataclass(frozen=True, kw_only=True)
class _Ends:
    """The ends of all lines, and the middle lines.

    Args:
        places: N x 2 (x, y) of the ends in px.
        directions: N x 2 unit vectors (x, y), outwards.
        branches: number of the line of each end.
        strokes: number of the stroke of each end.
        lengths_px: length of each line, by number.
        at_border: whether the image's border cuts the line there.
        middle: M x 2 (x, y) of all middle lines.
        middle_branches: line number of each of these pixels.
        middle_strokes: stroke number of each of these pixels.
    """

    places: np.ndarray
    directions: np.ndarray
    branches: np.ndarray
    strokes: np.ndarray
    lengths_px: np.ndarray
    at_border: np.ndarray
    middle: np.ndarray
    middle_branches: np.ndarray
    middle_strokes: np.ndarray


def stroke_width(strokes: np.ndarray) -> float:
    """Estimate the usual width of strokes in px, from the median depth along their middle lines.

    Args:
        strokes: H x W bool.
    """
    middle = skeletonize(strokes)
    depth = cv2.distanceTransform(strokes.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Depth is measured to the next pixel's centre, half a pixel beyond the edge.
    return float(2 * np.median(depth[middle]) - 1) if middle.any() else 0.0


def join_ends(strokes: np.ndarray, *, width_px: float) -> list[Joint]:
    """Close open strokes by straight lines between the ends of lines.

    Cheap joints come first (short, along the stroke's own direction), so that a dashed line is joined before
    it is closed as a whole. No joint is longer than ``MAX_GAP`` of the lines that it closes.

    Args:
        strokes: H x W, the number of each connected stroke, 0 elsewhere.
        width_px: the strokes' usual width; shorter branches are ignored.

    Returns:
        The joints, in the order in which they were chosen.
    """
    ends = _find_ends(strokes, width_px=width_px)
    # A single end can still be joined to the side of a line.
    if not len(ends.places):
        return []
    between = ends.places[np.newaxis] - ends.places[:, np.newaxis]
    distances = np.hypot(between[..., 0], between[..., 1])
    forward = np.einsum("ijk,ik->ij", between, ends.directions) / np.maximum(distances, 1e-6)
    cost = distances * (3 - forward - forward.T)
    # A stroke that the image's border cuts is closed along the border.
    along_border = np.logical_and.outer(ends.at_border, ends.at_border)
    cost[along_border] = distances[along_border]
    cost[np.not_equal.outer(ends.strokes, ends.strokes)] *= _FOREIGN
    pairs = np.argwhere(np.triu(np.ones_like(cost, bool), 1))
    order = np.argsort(cost[pairs[:, 0], pairs[:, 1]], kind="stable")
    chain_of = np.arange(len(ends.lengths_px))
    family_of = np.arange(int(strokes.max()) + 1)
    lengths_px = ends.lengths_px.copy()
    free, joints = np.ones(len(ends.places), bool), []
    for i, j in pairs[order]:
        first, second = chain_of[ends.branches[i]], chain_of[ends.branches[j]]
        # The ends of a middle line are short of the stroke's ends by the pruning and by half a width.
        gap_px = max(0.0, float(distances[i, j]) - (1 + 2 * SPUR) * width_px)
        total_px = lengths_px[first] + (lengths_px[second] if first != second else 0)
        is_own = ends.strokes[i] == ends.strokes[j]
        limit = 1.0 if along_border[i, j] else MAX_GAP if is_own else MAX_FOREIGN_GAP
        if not (free[i] and free[j]) or gap_px > limit * total_px:
            continue
        free[[i, j]] = False
        joints.append(Joint(start=_point(ends.places[i]), end=_point(ends.places[j]), gap_px=gap_px))
        lengths_px[first] = total_px + distances[i, j]
        chain_of[chain_of == second] = first
        family_of[family_of == family_of[ends.strokes[j]]] = family_of[ends.strokes[i]]
    return joints + _side_joints(ends, np.flatnonzero(free), family_of, width_px=width_px)


def draw_joints(strokes: np.ndarray, joints: Sequence[Joint], *, width_px: float) -> np.ndarray:
    """Draw joints on strokes.

    Args:
        strokes: H x W bool.
        joints: the lines to draw.
        width_px: their width.

    Returns:
        H x W bool, a copy.
    """
    drawn = strokes.astype(np.uint8)
    for joint in joints:
        start, end = np.array(joint.start), np.array(joint.end)
        # OpenCV's thick lines differ in width between its versions 4 and 5; its thin ones do not.
        across = (end - start)[::-1] * (-1, 1) / max(float(np.hypot(*(end - start))), 1e-6) * width_px / 2
        x, y = np.array([start + across, start - across, end - across, end + across]).T
        rows, columns = polygon(y, x, shape=drawn.shape)
        drawn[rows, columns] = 1
        first, last = (np.rint(point * 16).astype(int).tolist() for point in (start, end))
        cv2.line(drawn, first, last, 1, 1, cv2.LINE_8, 4)
    return drawn.astype(bool)


def _side_joints(ends: _Ends, free: np.ndarray, family_of: np.ndarray, *, width_px: float) -> list[Joint]:
    """Join free ends to a near side of their own stroke, or of one that is joined to it.

    An outline that touches another one can be open at that place: then one of its ends is not the end of a
    line.
    """
    joints = []
    for number in free:
        place, branch = ends.places[number], ends.branches[number]
        others = family_of[ends.middle_strokes] == family_of[ends.strokes[number]]
        others &= ends.middle_branches != branch
        if not others.any():
            continue
        ahead = ends.middle[others] - place
        distances = np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-6)
        best = int(np.argmin(distances * (2 - ahead @ ends.directions[number] / distances)))
        gap_px = max(0.0, float(distances[best]) - (1 + SPUR) * width_px)
        if gap_px > MAX_SIDE_GAP * ends.lengths_px[branch]:
            continue
        end = _point(ends.middle[others][best])
        joints.append(Joint(start=_point(place), end=end, gap_px=gap_px))
    return joints


def _point(place: np.ndarray) -> tuple[float, float]:
    return float(place[0]), float(place[1])


def _find_ends(strokes: np.ndarray, *, width_px: float) -> _Ends:
    middle = _pruned(skeletonize(strokes > 0), num_px=round(SPUR * width_px) + 1)
    branches, num = _branches(middle)
    branches = _extended(branches, middle)
    tips = np.argwhere(middle & (_num_neighbours(middle) == 1) & (branches > 0))
    # A diagonal step is longer than a straight one; 1.1 is right on average over directions.
    lengths_px = 1.1 * np.bincount(branches.ravel(), minlength=num + 1)
    reach = max(5, round(2.5 * width_px))
    directions = np.zeros((len(tips), 2))
    for number, (row, column) in enumerate(tips):
        top, left = max(0, row - reach), max(0, column - reach)
        near = branches[top : row + reach + 1, left : column + reach + 1] == branches[row, column]
        inward = np.argwhere(near).mean(axis=0) + np.array([top, left])
        outward = np.array([column - inward[1], row - inward[0]])
        directions[number] = outward / max(float(np.hypot(*outward)), 1e-6)
    places = tips[:, ::-1].astype(float)
    far = np.array(strokes.shape[::-1]) - 1
    to_border = np.minimum(places, far - places)
    at_border = to_border.min(axis=1, initial=np.inf) <= (1 + SPUR) * width_px + 2
    for tip in np.flatnonzero(at_border):
        axis = int(np.argmin(to_border[tip]))
        places[tip, axis] = 0 if places[tip, axis] < far[axis] / 2 else far[axis]
    return _Ends(
        places=places,
        directions=directions,
        branches=branches[tips[:, 0], tips[:, 1]],
        strokes=strokes[tips[:, 0], tips[:, 1]],
        lengths_px=lengths_px,
        at_border=at_border,
        middle=np.argwhere(middle)[:, ::-1].astype(float),
        middle_branches=branches[middle],
        middle_strokes=strokes[middle],
    )


def _pruned(middle: np.ndarray, *, num_px: int) -> np.ndarray:
    """Remove ``num_px`` from every end of a skeleton, and with them shorter spurs.

    The square end of a stroke has such spurs. A line that would vanish as a whole is kept.
    """
    kept = middle.copy()
    for _ in range(num_px):
        kept &= _num_neighbours(kept) != 1
    strokes, num = ndimage.label(middle, EIGHT)
    survives = np.bincount(strokes[kept], minlength=num + 1) > 2
    return np.asarray(skeletonize(np.where(survives[strokes], kept, middle)))


def _branches(middle: np.ndarray) -> tuple[np.ndarray, int]:
    """Cut a skeleton at its branching points: H x W numbers of the branches, and their count."""
    crossing = ndimage.binary_dilation(middle & (_num_neighbours(middle) > 2), EIGHT)
    branches, num = ndimage.label(middle & ~crossing, EIGHT)
    return np.asarray(branches), int(num)


def _extended(branches: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Add the pixels next to a crossing to the branches: a line can end there."""
    for _ in range(2):
        wider = ndimage.grey_dilation(branches, footprint=EIGHT)
        branches = np.where(middle & (branches == 0), wider, branches)
    return branches


def _num_neighbours(middle: np.ndarray) -> np.ndarray:
    return cv2.filter2D(middle.astype(np.uint8), -1, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT)
