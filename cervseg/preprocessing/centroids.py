"""Where a mask's structures are: one point in each connected component."""

from __future__ import annotations

import cv2
import numpy as np

LEAST_PX = 4  # smaller components are specks of resampling, and no structures


def find_components(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The connected components (eight neighbours) of a mask and a point in each.

    Args:
        plane: H x W, any type; what is not 0 is the structure.

    Returns:
        H x W int32, 0 = background or a component of less than :data:`LEAST_PX` px, else k = component k;
        and N x 2 float64, row k - 1 is component k's centroid (x, y) in px, or the pixel of it that is
        nearest to the centroid where that lies outside of it.
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
    """``point`` if it lies in component ``k``, else the component's pixel nearest to it."""
    column, row = np.rint(point).astype(int)
    if numbers[row, column] == k:
        return point
    left, top, width, height = box[:4]
    rows, columns = np.nonzero(numbers[top : top + height, left : left + width] == k)
    pixels = np.stack([columns + left, rows + top], axis=1)
    nearest: np.ndarray = pixels[((pixels - point) ** 2).sum(1).argmin()]
    return nearest
