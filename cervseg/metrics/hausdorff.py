"""The 95th percentile of the Hausdorff distance and its variants, as metrics of one label of one case."""

from __future__ import annotations

import math

from cervseg.metrics.label_case import LabelCase
from cervseg.metrics.surface import SurfaceDistances


def hd95(distances: SurfaceDistances | None) -> float | None:
    """Pooled 95th percentile (Eq. 20), in the unit of the distances; None where they are undefined."""
    return distances.hd95 if distances else None


def hd95_max_directed(distances: SurfaceDistances | None) -> float | None:
    """Larger of the two directed 95th percentiles, in the unit of the distances; None where undefined."""
    return distances.hd95_max_directed if distances else None


def hd95_missed_as_diagonal(case: LabelCase) -> float | None:
    """HD95 in px, or the image's diagonal where one mask is empty; None where both are."""
    if case.distances_px is not None:
        return case.distances_px.hd95
    if case.confusion.num_prediction or case.confusion.num_reference:
        return math.hypot(*case.reference.shape)
    return None
