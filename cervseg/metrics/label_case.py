"""One label of one case: the two masks, and the intermediate results that several metrics share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cervseg.core.types import SpacingMm
from cervseg.metrics.overlap import Confusion, confusion
from cervseg.metrics.surface import SurfaceDistances, surface_distances


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelCase:
    """The input of every metric. Shared results are computed on first use and kept.

    Args:
        prediction: H x W bool.
        reference: H x W bool, of the same shape.
        probability: H x W float in [0, 1], the label's probability per pixel; None where it was not saved.
        spacing_mm: (row, column) in mm; None where it is unknown.
    """

    prediction: NDArray[np.bool_]
    reference: NDArray[np.bool_]
    probability: NDArray[Any] | None = None
    spacing_mm: SpacingMm | None = None

    @property
    def known_probability(self) -> NDArray[Any]:
        """The probability.

        Raises:
            ValueError: it was not saved.
        """
        if self.probability is None:
            raise ValueError("the metric needs a probability per pixel")
        return self.probability

    @cached_property
    def confusion(self) -> Confusion:
        """Pixel counts."""
        return confusion(self.prediction, self.reference)

    @cached_property
    def distances_px(self) -> SurfaceDistances | None:
        """Surface distances in px; None where a mask is empty."""
        return surface_distances(self.prediction, self.reference)

    @cached_property
    def distances_mm(self) -> SurfaceDistances | None:
        """Surface distances in mm; None where a mask is empty.

        Raises:
            ValueError: the spacing is unknown.
        """
        if self.spacing_mm is None:
            raise ValueError("distances in mm need a spacing")
        return surface_distances(self.prediction, self.reference, spacing=self.spacing_mm)
