import numpy as np
import pytest
from skimage.metrics import structural_similarity

from cervseg.metrics.similarity import mean_absolute_error, mean_absolute_error_foreground, ssim


def whole_image_ssim(prediction, reference):
    """scikit-image over the whole image, with the window of Eq. 18."""
    return structural_similarity(
        prediction.astype(np.float64),
        reference.astype(np.float64),
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )


def test_crop_equals_the_whole_image():
    """Differences in the middle, at the borders and in the corners, on sizes down to the window's."""
    rng = np.random.default_rng(11)
    for index in range(60):
        height, width = rng.integers(11, 80, 2)
        reference = np.zeros((height, width), bool)
        top, left = rng.integers(0, height), rng.integers(0, width)
        reference[top : top + 15, left : left + 9] = True
        prediction = np.roll(reference, tuple(rng.integers(-3, 4, 2)), (0, 1))
        if index % 4 == 0:
            prediction[rng.choice([0, height - 1]), rng.choice([0, width - 1])] ^= True
        found = ssim(prediction, reference)
        assert found == pytest.approx(whole_image_ssim(prediction, reference), abs=1e-12)


def test_one_pixel_differs():
    """A single wrong pixel anywhere, also within the border that scikit-image leaves out of the mean."""
    reference = np.zeros((30, 40), bool)
    reference[5:20, 8:30] = True
    for place in ((0, 0), (4, 39), (15, 20), (29, 3), (5, 8)):
        prediction = reference.copy()
        prediction[place] ^= True
        assert ssim(prediction, reference) == pytest.approx(
            whole_image_ssim(prediction, reference), abs=1e-12
        )


def test_empty_and_full():
    """Equal masks are 1, empty ones too; empty against full is C1 / (1 + C1) by hand, as variances vanish."""
    empty, full = np.zeros((20, 20), bool), np.ones((20, 20), bool)
    assert ssim(empty, empty) == 1.0
    assert ssim(full, full) == 1.0
    assert ssim(empty, full) == pytest.approx(1e-4 / (1 + 1e-4))


def test_undefined_on_images_smaller_than_the_window():
    """Ten pixels do not hold an 11-pixel window."""
    assert ssim(np.ones((10, 40), bool), np.zeros((10, 40), bool)) is None


def test_mean_absolute_errors_by_hand():
    """Four pixels, two of them foreground."""
    probabilities = np.array([[0.9, 0.6], [0.2, 0.0]], np.float32)
    reference = np.array([[True, True], [False, False]])
    assert mean_absolute_error(probabilities, reference) == pytest.approx((0.1 + 0.4 + 0.2) / 4)
    assert mean_absolute_error_foreground(probabilities, reference) == pytest.approx((0.1 + 0.4) / 2)


def test_half_precision_is_summed_in_double():
    """float16 maps of a large image neither overflow nor stall in their sum."""
    probabilities = np.full((1024, 1024), 0.25, np.float16)
    reference = np.zeros((1024, 1024), bool)
    assert mean_absolute_error(probabilities, reference) == 0.25
    reference[:] = True
    assert mean_absolute_error_foreground(probabilities, reference) == 0.75


def test_foreground_error_is_undefined_without_foreground():
    """No reference pixel, no foreground error; the global one still counts what was invented."""
    probabilities, reference = np.full((4, 4), 0.5, np.float32), np.zeros((4, 4), bool)
    assert mean_absolute_error_foreground(probabilities, reference) is None
    assert mean_absolute_error(probabilities, reference) == 0.5


@pytest.mark.parametrize("metric", [ssim, mean_absolute_error, mean_absolute_error_foreground])
def test_shapes_must_agree(metric):
    """Two sizes are refused, not broadcast."""
    with pytest.raises(ValueError, match="shapes differ"):
        metric(np.zeros((12, 12), bool), np.zeros((12, 13), bool))
