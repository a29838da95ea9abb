"""Surface Dice, also called normalized surface distance (NSD), of one label of one case.

The share of boundary points that are at most a tolerance from the other boundary (Nikolov et al. 2018,
arXiv:1809.04430, "surface DSC"), with the boundary points of :mod:`cervseg.metrics.surface`. Nikolov et al.
weight each point of a boundary between pixels by the length of its surface element; here, as in MONAI, each
boundary pixel counts once.
"""

from __future__ import annotations

import numpy as np

from cervseg.metrics.label_case import LabelCase
from cervseg.metrics.surface import SurfaceDistances

TOLERANCE_PX = 2.0
TOLERANCE_MM = 1.0
_ROUNDING = 1e-9  # a point at the tolerance is within it, although 6 * 0.2 - 0.2 > 1 by rounding


def surface_dice(case: LabelCase, distances: SurfaceDistances | None, *, tolerance: float) -> float | None:
    """Compute (|{d(A, B) <= t}| + |{d(B, A) <= t}|) / (|A| + |B|) over the boundary points A and B.

    Args:
        case: the masks.
        distances: surface distances of the case, in px or mm; None where a mask is empty.
        tolerance: t, in the unit of the distances.

    Returns:
        A value in [0, 1], 1 is best; 0 where one mask is empty, None where both are.
    """
    if distances is None:
        return 0.0 if case.confusion.num_prediction or case.confusion.num_reference else None
    both = np.concatenate([distances.prediction_to_reference, distances.reference_to_prediction])
    return float(np.mean(both <= tolerance + _ROUNDING))
