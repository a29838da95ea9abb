from __future__ import annotations

import numpy as np
import pytest

from cervseg.planning.histogram import FLOAT_BINS, Histogram, distribution


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 256), (np.uint16, 4096), (np.uint16, 65536)])
def test_integer_images_are_counted_exactly(dtype: type, top: int) -> None:
    """Mean, median, extremes, deviation and percentiles equal numpy's over all pixels of several images."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, top, (1, 37, 41)).astype(dtype) for _ in range(3)]
    merged = Histogram.of(images[0]) + Histogram.of(images[1]) + Histogram.of(images[2])
    every = np.concatenate([image.ravel() for image in images])
    found = merged.distribution()
    assert found.minimum == every.min()
    assert found.maximum == every.max()
    assert found.median == np.median(every)
    assert found.mean == pytest.approx(every.mean(), rel=1e-12)
    assert found.standard_deviation == pytest.approx(every.std(), rel=1e-9)
    for percent in (0.5, 99.5):
        assert merged.percentile(percent) == np.percentile(every, percent, method="inverted_cdf")


def test_images_of_both_integer_types_merge() -> None:
    """8- and 16-bit counts add on one axis, in either order."""
    narrow = Histogram.of(np.array([[[1, 255]]], np.uint8))
    wide = Histogram.of(np.array([[[1, 4095]]], np.uint16))
    for merged in (narrow + wide, wide + narrow):
        assert merged.counts.sum() == 4
        assert merged.counts[[1, 255, 4095]].tolist() == [2, 1, 1]


def test_float_images_are_binned_to_16_bit() -> None:
    """Images of different ranges merge on their common range, exact to one bin."""
    rng = np.random.default_rng(1)
    images = [rng.normal(scale=scale, size=(1, 50, 60)).astype(np.float32) for scale in (1, 30)]
    merged = Histogram.of(images[0]) + Histogram.of(images[1])
    every = np.concatenate([image.ravel() for image in images]).astype(np.float64)
    one_bin = np.ptp(every) / (FLOAT_BINS - 1)
    assert merged.counts.sum() == every.size
    assert merged.distribution().mean == pytest.approx(every.mean(), abs=one_bin)
    assert merged.distribution().median == pytest.approx(np.sort(every)[every.size // 2 - 1], abs=one_bin)
    assert merged.distribution().maximum == pytest.approx(every.max(), abs=one_bin)


def test_a_constant_float_image_and_values_that_are_no_numbers() -> None:
    """A constant image is one bin; NaN is left out; nothing but NaN is an error."""
    image = np.full((1, 2, 2), 7.5, np.float32)
    assert Histogram.of(image).distribution().mean == 7.5
    image[0, 0, 0] = np.nan
    assert Histogram.of(image).counts.sum() == 3
    with pytest.raises(ValueError, match="finite"):
        Histogram.of(np.full((1, 2, 2), np.nan, np.float32))


def test_distribution_of_a_sample() -> None:
    """Five numbers by hand; zeros for an empty sample."""
    found = distribution([1.0, 2.0, 6.0])
    assert (found.minimum, found.median, found.mean, found.maximum) == (1.0, 2.0, 3.0, 6.0)
    assert found.standard_deviation == pytest.approx((14 / 3) ** 0.5)
    assert distribution([]).maximum == 0.0
