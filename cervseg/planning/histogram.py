"""Histograms that merge, and five numbers out of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cervseg.core.types import Distribution

FLOAT_BINS = 65536
_CALC_HIST_PX = 1 << 24  # cv2.calcHist counts in float32, which is exact up to here


def distribution(sample: Sequence[float] | np.ndarray) -> Distribution:
    """The five numbers of a sample (the deviation is the population's); all zero where it is empty."""
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
    """Counts of intensities; bin i stands for the value ``low + i * step``.

    8- and 16-bit images are counted exactly (low 0, step 1). Floating-point images are binned to 16 bit over
    their range, so that their numbers are exact to half a bin.
    """

    low: float
    step: float
    counts: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray) -> Histogram:
        """Count C x H x W pixels, uint8, uint16 or floating point.

        Raises:
            ValueError: no pixel is finite, or the dtype is none of these.
        """
        if pixels.dtype in (np.uint8, np.uint16):
            return cls(low=0.0, step=1.0, counts=_count_integers(pixels))
        if not np.issubdtype(pixels.dtype, np.floating):
            raise ValueError(f"pixels must be uint8, uint16 or floating point, are {pixels.dtype}")
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
        """The smallest intensity that at least ``percent`` % of the pixels do not exceed."""
        cumulative = np.cumsum(self.counts)
        # Rounded, so that a half of an even number is a half and not a hair more.
        wanted = max(1, int(np.ceil(round(percent / 100 * int(cumulative[-1]), 6))))
        return float(self.low + self.step * int(np.searchsorted(cumulative, wanted)))

    def distribution(self) -> Distribution:
        """The five numbers of all pixels; the median is the lower one where their number is even."""
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
    # Empty bins at the top are not worth carrying: a 12-bit image needs 4096 of 65536.
    return counts[: int(np.flatnonzero(counts)[-1]) + 1]
