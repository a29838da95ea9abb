"""From probabilities of levels to one part per level: a structure's parts, in order along the spine.

The union of the levels decides where the structure is. Its connected components are parts; a component that
holds several levels is divided where the most probable level changes. Parts are then named together: levels
increase from top to bottom, and each part's name is the most probable one over all ways to name the parts
(forward-backward algorithm). A part whose name is less probable than :data:`LEAST_CONFIDENCE` is unnamed.

All this happens in the network frame, which holds fewer pixels than the image; the union is resampled to the
image, and each of its pixels there belongs to the nearest part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from cervseg.core.geometry import Placement
from cervseg.core.types import Part
from cervseg.postprocessing.image_grid import to_image_grid

Pixels = tuple[np.ndarray, np.ndarray]  # rows, columns

LEAST_CONFIDENCE = 0.5
LEAST_SHARE = 0.2  # of a component's pixels that a level must have to become a part of its own
LEAST_AREA = 0.15  # relative to the median part; smaller parts are dropped
_DROPPED = 255  # number of a part that is dropped
_MOST_PARTS = 100  # the largest; an image with more shows noise
_FLOOR = 0.02  # probability that any level keeps, whatever the network says
_HIGHEST = 0.9999  # the odds of 1 are infinite
_NO_LEVEL = 0.05  # weight of a part that is no level, relative to one with evidence
_SKIP = 0.1  # factor per level that is skipped between neighbours


def union_probability(probabilities: np.ndarray) -> np.ndarray:
    """Compute the probability that a pixel has any of the labels: L x H x W in [0, 1] to H x W float32."""
    none = np.prod(np.float32(1) - probabilities.astype(np.float32, copy=False), axis=0)
    union: np.ndarray = np.float32(1) - none
    return union


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The parts of a structure in an image.

    Args:
        mask: H x W uint8: 1 to L for the levels, L + 1 for parts of unknown level, 0 elsewhere.
        union: H x W float32 in [0, 1]: probability of the structure.
        parts: from top to bottom; areas and centroids in px of the image.
        gaps: H x W bool: a line one pixel wide between parts that touch, inside the upper one.
    """

    mask: np.ndarray
    union: np.ndarray
    parts: tuple[Part, ...]
    gaps: np.ndarray


def read_levels(probabilities: np.ndarray, placement: Placement, *, threshold: float = 0.5) -> Reading:
    """Find the parts of a structure and name their levels.

    Args:
        probabilities: L x h x w in [0, 1], in the network frame: one plane per level, from top to bottom.
        placement: placement of the image in the network frame.
        threshold: a pixel belongs to the structure if the probability of the union is above it.
    """
    in_frame = union_probability(probabilities)
    union = to_image_grid(in_frame[None], placement)[0]
    parts = _parts(probabilities, in_frame > threshold)
    nearest, is_divided = _nearest_part(parts, placement)
    inside = (union > threshold) & (nearest != _DROPPED)
    nearest[~inside] = 0
    kept = [part for part in parts if not part.is_dropped]
    named = name_levels(np.array([part.votes for part in kept])) if kept else []
    values = np.zeros(256, dtype=np.uint8)
    for number, (level, _) in enumerate(named, start=1):
        values[number] = len(probabilities) + 1 if level is None else level
    return Reading(
        mask=values[nearest],
        union=union,
        parts=_described(nearest, named),
        gaps=_gaps(nearest) if is_divided else np.zeros(nearest.shape, dtype=bool),
    )


def name_levels(votes: np.ndarray) -> list[tuple[int | None, float]]:
    """Name parts, so that levels increase from one to the next; a part may also be no level at all.

    Args:
        votes: N x L, at least 0: evidence of each level for each part, from top to bottom.

    Returns:
        (level 1 .. L or None, its probability) of each part.
    """
    votes = votes.astype(np.float64)  # products over a hundred parts are below the range of float32
    evidence = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-9) + _FLOOR
    ahead = _weights_above(evidence)
    # The same from the bottom up: parts and levels in reverse order.
    behind = _weights_above(evidence[::-1, ::-1])[::-1, ::-1]
    weights = ahead * behind / evidence  # of all ways to name the parts in which part i has level l
    left_out = np.arange(len(votes))
    total = float((ahead * _NO_LEVEL ** left_out[::-1, None]).sum()) + _NO_LEVEL ** len(votes)
    named: list[tuple[int | None, float]] = []
    for posterior in weights / total:
        level, confidence = int(posterior.argmax()), float(posterior.max())
        named.append((level + 1 if confidence >= LEAST_CONFIDENCE else None, confidence))
    return named


def _weights_above(evidence: np.ndarray) -> np.ndarray:
    """Sum the weights of all ways to name the parts down to part i, if it has level l: N x L."""
    num_parts, num_levels = evidence.shape
    skipped = np.arange(num_levels)[None] - np.arange(num_levels)[:, None] - 1  # from row to column
    follow = np.where(skipped >= 0, _SKIP ** np.maximum(skipped, 0), 0.0)
    weights = np.zeros_like(evidence)
    for i in range(num_parts):
        reached = np.full(num_levels, _NO_LEVEL**i)
        for j in range(i):
            reached = reached + _NO_LEVEL ** (i - j - 1) * (weights[j] @ follow)
        weights[i] = evidence[i] * reached
    return weights


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Pixels and votes of a part; is it too small, and is it one of several in its component?"""

    pixels: Pixels
    votes: np.ndarray
    is_divided: bool
    is_dropped: bool = False


def _parts(probabilities: np.ndarray, inside: np.ndarray) -> list[_Part]:
    """List the parts in the frame, from top to bottom."""
    count, components = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)
    rows, columns = np.nonzero(components)
    of_pixel = components[rows, columns]
    parts = []
    for number in range(1, count):
        mine = of_pixel == number
        y, x = rows[mine], columns[mine]
        divided = _divided(probabilities[:, y, x], (y, x))
        for chosen in divided:
            where = y[chosen], x[chosen]
            votes = _votes(probabilities[:, where[0], where[1]])
            parts.append(_Part(pixels=where, votes=votes, is_divided=len(divided) > 1))
    if not parts:
        return []
    parts.sort(key=lambda part: -len(part.pixels[0]))
    least = LEAST_AREA * np.median([len(part.pixels[0]) for part in parts])
    parts = [
        replace(part, is_dropped=len(part.pixels[0]) < least or rank >= _MOST_PARTS)
        for rank, part in enumerate(parts)
    ]
    return sorted(parts, key=lambda part: float(part.pixels[0].mean()))


def _nearest_part(parts: list[_Part], placement: Placement) -> tuple[np.ndarray, bool]:
    """Number each pixel of the image by the nearest part: H x W uint8; and do parts touch?

    Kept parts have the numbers 1, 2, ... from the top, dropped ones :data:`_DROPPED`.
    """
    numbers = np.zeros(placement.network_size, dtype=np.uint8)
    number = 0
    for part in parts:
        if not part.is_dropped:
            number += 1
        numbers[part.pixels] = _DROPPED if part.is_dropped else number
    height, width = placement.image_size
    if not parts:
        return np.zeros((height, width), dtype=np.uint8), False
    _, sources = cv2.distanceTransformWithLabels(
        (numbers == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_source = np.zeros(int(sources.max()) + 1, dtype=np.uint8)
    of_source[sources[numbers > 0]] = numbers[numbers > 0]
    matrix = placement.matrix_to_network[:2]
    nearest: np.ndarray = cv2.warpAffine(
        of_source[sources],
        matrix,
        (width, height),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    is_divided = any(part.is_divided for part in parts)
    image_px_per_px = 1 / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if is_divided and image_px_per_px > 1:  # a line between parts, not the steps of the frame's pixels
        nearest = cv2.medianBlur(nearest, 2 * round(image_px_per_px) + 1)
    return nearest, is_divided


def _described(numbers: np.ndarray, named: list[tuple[int | None, float]]) -> tuple[Part, ...]:
    """Describe the parts 1, 2, ... of H x W numbers; a part without a pixel in the image is left out."""
    found = cv2.findNonZero(numbers)
    if found is None:
        return ()
    columns, rows = found.reshape(-1, 2).T
    of_pixel = numbers[rows, columns]
    areas = np.bincount(of_pixel, minlength=len(named) + 1)
    sums = [np.bincount(of_pixel, weights=axis, minlength=len(named) + 1) for axis in (columns, rows)]
    return tuple(
        Part(
            area_px=int(areas[number]),
            centroid=(float(sums[0][number] / areas[number]), float(sums[1][number] / areas[number])),
            level=level,
            confidence=confidence,
        )
        for number, (level, confidence) in enumerate(named, start=1)
        if areas[number]
    )


def _gaps(numbers: np.ndarray) -> np.ndarray:
    """Find the pixels of a part beside which is a pixel of a lower one (larger number)."""
    gaps: np.ndarray = (numbers > 0) & (cv2.dilate(numbers, np.ones((3, 3), dtype=np.uint8)) > numbers)
    return gaps


def _votes(of_pixels: np.ndarray) -> np.ndarray:
    """Mean share of each level in the odds of a pixel, L x P to L: the softmax of its logits."""
    odds = of_pixels / (1 - np.minimum(of_pixels, _HIGHEST))
    shares: np.ndarray = (odds / np.maximum(odds.sum(axis=0), 1e-9)).mean(axis=1)
    return shares


def _divided(of_pixels: np.ndarray, where: Pixels) -> list[np.ndarray]:
    """Divide the pixels of a component by their most probable level; returns boolean selections.

    Neighbours along the spine are above one another. Halves beside each other are one part about which the
    network is in doubt.

    Args:
        of_pixels: L x P probabilities.
        where: rows and columns of the P pixels.
    """
    winners = of_pixels.argmax(axis=0)
    shares = np.bincount(winners, minlength=len(of_pixels)) / max(winners.size, 1)
    present = list(np.nonzero(shares >= LEAST_SHARE)[0])
    while len(present) > 1:
        among = np.array(present)[of_pixels[present].argmax(axis=0)]
        centres = np.array([[axis[among == level].mean() for axis in where] for level in present])
        down, across = np.abs(np.diff(centres, axis=0)).T
        beside = np.nonzero(down < across)[0]
        if not len(beside):
            return [among == level for level in present]
        first, second = present[beside[0]], present[beside[0] + 1]
        present.remove(first if shares[first] < shares[second] else second)
    return [np.ones(winners.size, dtype=bool)]
