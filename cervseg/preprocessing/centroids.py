"""Connected components of a mask, and one point in each."""

from __future__ import annotations

import cv2
import numpy as np

LEAST_PX = 4  # smaller components are artefacts of resampling


def find_components(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the connected components (eight neighbours) of a mask and a point in each.

    Args:
        plane: H x W, any dtype; non-zero pixels are foreground.

    Returns:
        H x W int32, k for component k, 0 for background and components of less than :data:`LEAST_PX` px;
        and N x 2 float64: row k - 1 is the centroid (x, y) of component k in px, or its pixel nearest to the
        centroid if that is outside the component.
    """
    count, numbers, boxes, centroids = cv2.connectedComponentsWithStats(
        (plane != 0).astype(np.uint8), connectivity=8
    )
    kept = [k for k in range(1, count) if boxes[k, cv2.CC_STAT_AREA] >= LEAST_PX]
    renumbered = np.zeros(count, np.int32)
    renumbered[kept] = np.arange(1, len(kept) + 1)
    points = [_inside(numbers, k, box=boxes[k], point=centroids[k]) for k in kept]
    return renumbered[numbers], np.array(points, dtype=np.float64).reshape(-1, 2)


def _inside(numbers: np.ndarray, k: int, *, box: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return ``point`` if it is in component ``k``, else the component's nearest pixel."""
    column, row = np.rint(point).astype(int)
    if numbers[row, column] == k:
        return point
    left, top, width, height = box[:4]
    rows, columns = np.nonzero(numbers[top : top + height, left : left + width] == k)
    pixels = np.stack([columns + left, rows + top], axis=1)
    nearest: np.ndarray = pixels[((pixels - point) ** 2).sum(1).argmin()]
    return nearest
