"""Surface distances between two masks and the two common definitions of HD95 (Eq. 19-20).

Boundary points are the mask's pixels that a 3 x 3 cross erosion removes: those with one of their four
neighbors outside the mask. Beyond the image counts as outside. SciPy and OpenCV are imported inside the
functions, so that ``--help`` does not load them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class SurfaceDistances:
    """Both directed sets of surface distances, D(A, B) and D(B, A) of Eq. 19.

    Both are 1-D float64, one value per boundary point, in the unit of the spacing (px by default), and never
    empty.
    """

    prediction_to_reference: NDArray[np.float64]
    reference_to_prediction: NDArray[np.float64]

    @cached_property
    def hd95(self) -> float:
        """The 95th percentile (linear interpolation) of both sets pooled, Eq. 20."""
        pooled = np.concatenate([self.prediction_to_reference, self.reference_to_prediction])
        return float(np.percentile(pooled, 95))

    @property
    def hd95_max_directed(self) -> float:
        """The larger of the two sets' 95th percentiles, as in MONAI."""
        directed = (self.prediction_to_reference, self.reference_to_prediction)
        return float(max(np.percentile(distances, 95) for distances in directed))


def surface_distances(
    prediction: NDArray[np.bool_], reference: NDArray[np.bool_], *, spacing: tuple[float, float] = (1.0, 1.0)
) -> SurfaceDistances | None:
    """Compute the distance from every boundary point of each mask to the nearest one of the other mask.

    Args:
        prediction: H x W bool.
        reference: H x W bool.
        spacing: (row, column) distance of neighboring pixels, positive; the result is in its unit.

    Returns:
        Both directed sets; None (undefined) where one or both masks are empty.

    Raises:
        ValueError: the shapes differ or a spacing is not a positive number.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"shapes differ: {prediction.shape} and {reference.shape}")
    if not all(math.isfinite(step) and step > 0 for step in spacing):
        raise ValueError(f"spacing must be two positive numbers, got {spacing}")
    box_prediction, box_reference = _bounding_box(prediction), _bounding_box(reference)
    if box_prediction is None or box_reference is None:
        return None
    window = _union(box_prediction, box_reference)
    points_prediction = _points(boundary(prediction[window]), spacing)
    points_reference = _points(boundary(reference[window]), spacing)
    return SurfaceDistances(
        prediction_to_reference=_nearest(points_prediction, points_reference),
        reference_to_prediction=_nearest(points_reference, points_prediction),
    )


def boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the boundary points of a mask.

    Args:
        mask: H x W bool.

    Returns:
        H x W bool.
    """
    import cv2

    filled = np.ascontiguousarray(mask).view(np.uint8)
    eroded: Any = cv2.erode(filled, _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray((filled ^ eroded).view(np.bool_), dtype=np.bool_)


def _points(edge: NDArray[np.bool_], spacing: tuple[float, float]) -> NDArray[np.float64]:
    rows, columns = np.divmod(np.flatnonzero(edge), edge.shape[1])
    return np.column_stack([rows * spacing[0], columns * spacing[1]])


def _nearest(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    # Outlines are short: a k-d tree over their points is faster than a distance transform of their box (2 ms
    # instead of 4 ms at 1024 px), exact in float64, and works with any spacing.
    from scipy.spatial import KDTree

    distances, _ = KDTree(others, balanced_tree=False).query(points)
    return np.asarray(distances, dtype=np.float64)


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    # (top, bottom, left, right); bottom and right are excluded.
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _union(one: tuple[int, int, int, int], two: tuple[int, int, int, int]) -> tuple[slice, slice]:
    top, bottom = min(one[0], two[0]), max(one[1], two[1])
    left, right = min(one[2], two[2]), max(one[3], two[3])
    return slice(top, bottom), slice(left, right)
