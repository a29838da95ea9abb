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

LEAST_CONFIDENCE = 0.5
LEAST_SHARE = 0.2  # of a component's pixels that a level must have to become a part of its own
LEAST_AREA = 0.15  # relative to the median part; smaller parts are dropped
_FLOOR = 0.02  # probability that any level keeps, whatever the network says
_SKIP = 0.35  # factor per level that is skipped between neighbours


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
    """Name parts, so that levels increase from one to the next.

    Args:
        votes: N x L, at least 0: evidence of each level for each part, from top to bottom.

    Returns:
        (level 1 .. L or None, its probability) of each part. With more parts than levels all are None.
    """
    num_parts, num_levels = votes.shape
    if num_parts > num_levels:
        return [(None, 0.0)] * num_parts
    evidence = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-9) + _FLOOR
    steps = (
        np.arange(num_levels)[None] - np.arange(num_levels)[:, None] - 1
    )  # levels skipped from row to column
    follow = np.where(steps >= 0, _SKIP ** np.maximum(steps, 0), 0.0)
    ahead, behind = evidence.copy(), np.ones_like(evidence)
    for i in range(1, num_parts):
        ahead[i] *= ahead[i - 1] @ follow
        ahead[i] /= ahead[i].max()
    for i in range(num_parts - 2, -1, -1):
        behind[i] = follow @ (behind[i + 1] * evidence[i + 1])
        behind[i] /= behind[i].max()
    posterior = ahead * behind
    posterior /= posterior.sum(axis=1, keepdims=True)
    best = posterior.argmax(axis=1)
    named: list[tuple[int | None, float]] = []
    for i, level in enumerate(best):
        confidence = float(posterior[i, level])
        named.append((int(level) + 1 if confidence >= LEAST_CONFIDENCE else None, confidence))
    return named


def _parts(
    probabilities: np.ndarray, inside: np.ndarray
) -> list[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
    """List the pixels (rows, columns) and votes of each part, from top to bottom."""
    count, components = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)
    parts = []
    for number in range(1, count):
        rows, columns = np.nonzero(components == number)
        for chosen in _divided(probabilities[:, rows, columns]):
            where = rows[chosen], columns[chosen]
            parts.append((where, probabilities[:, where[0], where[1]].mean(axis=1)))
    if not parts:
        return []
    least = LEAST_AREA * np.median([len(where[0]) for where, _ in parts])
    parts = [part for part in parts if len(part[0][0]) >= least]
    return sorted(parts, key=lambda part: float(part[0][0].mean()))


def _divided(of_pixels: np.ndarray) -> list[np.ndarray]:
    """Divide the pixels of a component by their most probable level, L x P; returns boolean selections."""
    winners = of_pixels.argmax(axis=0)
    shares = np.bincount(winners, minlength=len(of_pixels)) / max(winners.size, 1)
    present = np.nonzero(shares >= LEAST_SHARE)[0]
    if len(present) < 2:
        return [np.ones(winners.size, dtype=bool)]
    among = present[of_pixels[present].argmax(axis=0)]
    return [among == level for level in present]
