"""From probabilities of levels to one part per level: a structure's parts, in order along the spine.

The union of the levels decides where the structure is. Its connected components are parts; a component that
holds several levels is divided where the most probable level changes. Parts are then named together: levels
increase from top to bottom, and each part's name is the most probable one over all ways to name the parts
(forward-backward algorithm). A part whose name is less probable than :data:`LEAST_CONFIDENCE` is unnamed.
"""

from __future__ import annotations

import cv2
import numpy as np

from cervseg.core.types import Part

Pixels = tuple[np.ndarray, np.ndarray]  # rows, columns

LEAST_CONFIDENCE = 0.5
LEAST_SHARE = 0.2  # of a component's pixels that a level must have to become a part of its own
LEAST_AREA = 0.15  # relative to the median part; smaller parts are dropped
_FLOOR = 0.02  # probability that any level keeps, whatever the network says
_HIGHEST = 0.9999  # the odds of 1 are infinite
_NO_LEVEL = 0.05  # weight of a part that is no level, relative to one with evidence
_SKIP = 0.1  # factor per level that is skipped between neighbours


def union_probability(probabilities: np.ndarray) -> np.ndarray:
    """Compute the probability that a pixel has any of the labels: L x H x W in [0, 1] to H x W float32."""
    none = np.prod(np.float32(1) - probabilities.astype(np.float32, copy=False), axis=0)
    union: np.ndarray = np.float32(1) - none
    return union


def read_levels(probabilities: np.ndarray, *, threshold: float = 0.5) -> tuple[np.ndarray, list[Part]]:
    """Find the parts of a structure and name their levels.

    Args:
        probabilities: L x H x W in [0, 1], one plane per level, from top to bottom.
        threshold: a pixel belongs to the structure if the probability of the union is above it.

    Returns:
        H x W uint8: 1 to L for the levels, L + 1 for parts of unknown level, 0 elsewhere; and the parts, from
        top to bottom.
    """
    num_levels = len(probabilities)
    parts = _parts(probabilities, union_probability(probabilities) > threshold)
    mask = np.zeros(probabilities.shape[1:], dtype=np.uint8)
    if not parts:
        return mask, []
    named = name_levels(np.array([votes for _, votes in parts]))
    found = []
    for (where, _), (level, confidence) in zip(parts, named, strict=True):
        mask[where] = num_levels + 1 if level is None else level
        y, x = where[0].mean(), where[1].mean()
        found.append(
            Part(area_px=len(where[0]), centroid=(float(x), float(y)), level=level, confidence=confidence)
        )
    return mask, found


def name_levels(votes: np.ndarray) -> list[tuple[int | None, float]]:
    """Name parts, so that levels increase from one to the next; a part may also be no level at all.

    Args:
        votes: N x L, at least 0: evidence of each level for each part, from top to bottom.

    Returns:
        (level 1 .. L or None, its probability) of each part.
    """
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


def _parts(probabilities: np.ndarray, inside: np.ndarray) -> list[tuple[Pixels, np.ndarray]]:
    """List pixels and votes of each part, from top to bottom."""
    count, components = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)
    parts = []
    for number in range(1, count):
        rows, columns = np.nonzero(components == number)
        for chosen in _divided(probabilities[:, rows, columns], (rows, columns)):
            where = rows[chosen], columns[chosen]
            parts.append((where, _votes(probabilities[:, where[0], where[1]])))
    if not parts:
        return []
    least = LEAST_AREA * np.median([len(where[0]) for where, _ in parts])
    parts = [part for part in parts if len(part[0][0]) >= least]
    return sorted(parts, key=lambda part: float(part[0][0].mean()))


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
