"""Histograms of intensities, and summary statistics of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cervseg.core.types import Distribution

FLOAT_BINS = 65536
_CALC_HIST_PX = 1 << 24  # cv2.calcHist counts in float32, which is exact up to this number


def distribution(sample: Sequence[float] | np.ndarray) -> Distribution:
    """Compute minimum, median, mean, maximum and standard deviation of a sample.

    Args:
        sample: numbers, any dtype.

    Returns:
        The statistics, with the population's standard deviation; all zero if the sample is empty.
    """
    values = np.asarray(sample, dtype=np.float64)
    if values.size == 0:
        return Distribution(minimum=0.0, median=0.0, mean=0.0, maximum=0.0, standard_deviation=0.0)
    return Distribution(
        minimum=float(values.min()),
        median=float(np.median(values)),
        mean=float(values.mean()),
        maximum=float(values.max()),
        standard_deviation=float(values.std()),
    )


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Histogram of intensities; bin i is the intensity ``low + i * step``.

    8- and 16-bit images are counted exactly (low 0, step 1). Floating-point images are binned to 16 bit over
    their range, so intensities are exact to half a bin. Histograms can be added.

    Args:
        low: intensity of the first bin.
        step: difference of intensity between two bins, positive.
        counts: int64, number of pixels per bin.
    """

    low: float
    step: float
    counts: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray) -> Histogram:
        """Count the pixels of an image.

        Args:
            pixels: C x H x W, uint8, uint16 or floating point; values that are not finite are ignored.

        Raises:
            ValueError: no pixel is finite, or the dtype is unsupported.
        """
        if pixels.dtype in (np.uint8, np.uint16):
            return cls(low=0.0, step=1.0, counts=_count_integers(pixels))
        if not np.issubdtype(pixels.dtype, np.floating):
            raise ValueError(f"pixels must be uint8, uint16 or floating point, not {pixels.dtype}")
        values = pixels[np.isfinite(pixels)].astype(np.float64)
        if values.size == 0:
            raise ValueError("no pixel has a finite value")
        low, step = float(values.min()), float(np.ptp(values)) / (FLOAT_BINS - 1) or 1.0
        bins = np.rint((values - low) / step).astype(np.intp)
        return cls(low=low, step=step, counts=np.bincount(bins).astype(np.int64))

    def __add__(self, other: Histogram) -> Histogram:
        if (self.low, self.step) == (other.low, other.step):
            longer, shorter = sorted((self.counts, other.counts), key=len, reverse=True)
            counts = longer.copy()
            counts[: len(shorter)] += shorter
            return Histogram(low=self.low, step=self.step, counts=counts)
        low = min(self.low, other.low)
        step = (max(self._high, other._high) - low) / (FLOAT_BINS - 1)
        counts = np.zeros(FLOAT_BINS, np.int64)
        for part in (self, other):
            bins = np.rint((part.values - low) / step).astype(np.intp)
            np.add.at(counts, bins, part.counts)
        return Histogram(low=low, step=step, counts=counts)

    @property
    def values(self) -> np.ndarray:
        """The intensity of each bin, float64."""
        return self.low + self.step * np.arange(len(self.counts), dtype=np.float64)

    @property
    def _high(self) -> float:
        return self.low + self.step * (len(self.counts) - 1)

    def percentile(self, percent: float) -> float:
        """Return the smallest intensity that at least ``percent`` % of the pixels do not exceed.

        Args:
            percent: in [0, 100].
        """
        cumulative = np.cumsum(self.counts)
        # Rounding removes floating-point errors, so that half of an even number is exact.
        wanted = max(1, int(np.ceil(round(percent / 100 * int(cumulative[-1]), 6))))
        return float(self.low + self.step * int(np.searchsorted(cumulative, wanted)))

    def distribution(self) -> Distribution:
        """Compute minimum, median, mean, maximum and standard deviation of all pixels.

        For an even number of pixels, the median is the lower of the two middle values.
        """
        filled = np.flatnonzero(self.counts)
        values, total = self.values, int(self.counts.sum())
        mean = float((values * self.counts).sum() / total)
        variance = float((((values - mean) ** 2) * self.counts).sum() / total)
        return Distribution(
            minimum=float(values[filled[0]]),
            median=self.percentile(50),
            mean=mean,
            maximum=float(values[filled[-1]]),
            standard_deviation=variance**0.5,
        )


def _count_integers(pixels: np.ndarray) -> np.ndarray:
    size = 256 if pixels.dtype == np.uint8 else 65536
    if pixels.size > _CALC_HIST_PX:
        counts = np.bincount(pixels.ravel(), minlength=size)
    else:
        flat = np.ascontiguousarray(pixels).reshape(1, -1)
        counts = cv2.calcHist([flat], [0], None, [size], [0, size]).ravel().astype(np.int64)
    # Drop empty bins at the top: a 12-bit image needs 4096 of 65536.
    return counts[: int(np.flatnonzero(counts)[-1]) + 1]
