from dataclasses import replace

import numpy as np

from cervseg.core.types import Augmentation
from cervseg.planning.constants import AUGMENTATIONS, WIDE_AUGMENTATION
from cervseg.training.augment import (
    AugmentationDraw,
    apply_intensity,
    displacement_of,
    draw_augmentation,
    move_displacement,
)


def test_draws_stay_in_their_ranges_and_repeat_by_seed() -> None:
    """1,000 draws: contrast, gamma, shift and turn within range; the same seed draws the same."""
    ranges = Augmentation(rotation_deg=10, scale=(0.9, 1.1), translation=0.05, probability=1.0)
    rng = np.random.default_rng(0)
    for _ in range(1000):
        draw = draw_augmentation(rng, ranges, size=(100, 80))
        assert draw.matrix is not None
        scale = np.sqrt(np.linalg.det(draw.matrix[:2, :2]))
        angle = np.rad2deg(np.arctan2(draw.matrix[0, 1], draw.matrix[0, 0]))
        centre = draw.matrix @ [39.5, 49.5, 1] - [39.5, 49.5, 1]
        assert 0.9 <= scale <= 1.1
        assert abs(angle) <= 10
        assert abs(centre[0]) <= 4.0 + 1e-9
        assert abs(centre[1]) <= 5.0 + 1e-9
        assert 0.75 <= draw.contrast <= 1.25
        assert 0.7 <= draw.gamma <= 1.5
    first = draw_augmentation(np.random.default_rng(3), ranges, size=(9, 9))
    again = draw_augmentation(np.random.default_rng(3), ranges, size=(9, 9))
    np.testing.assert_array_equal(first.matrix, again.matrix)
    assert (first.gamma, first.noise_seed) == (again.gamma, again.noise_seed)


def test_no_flips_by_default() -> None:
    """A spine has an up: the default ranges never mirror."""
    rng = np.random.default_rng(0)
    draws = [draw_augmentation(rng, Augmentation(), size=(64, 64)) for _ in range(300)]
    assert all(np.linalg.det(draw.matrix[:2, :2]) > 0 for draw in draws if draw.matrix is not None)


def test_intensity_by_hand_and_in_range() -> None:
    """Contrast 0.5 about the mean 0.5, brightness 0.1; noise and blur stay within [0, 1]."""
    image = np.array([[[0.0, 1.0]]], dtype=np.float32)
    changed = apply_intensity(image, AugmentationDraw(matrix=None, contrast=0.5, brightness=0.1))
    np.testing.assert_allclose(changed, [[[0.35, 0.85]]], atol=1e-6)
    noisy = apply_intensity(
        np.random.default_rng(0).random((1, 40, 30)).astype(np.float32),
        AugmentationDraw(matrix=None, noise=0.3, blur_px=1.0, gamma=1.4),
    )
    assert noisy.shape == (1, 40, 30)
    assert noisy.min() >= 0
    assert noisy.max() <= 1


def test_nothing_drawn_changes_nothing() -> None:
    """The empty draw returns the image bit-equal."""
    image = np.random.default_rng(1).random((1, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(apply_intensity(image, AugmentationDraw(matrix=None)), image)


def test_noise_is_white_and_repeats_by_seed() -> None:
    """Grey image, noise of 0.1: mean and deviation as drawn, nothing correlated, the image untouched."""
    grey = np.full((2, 200, 600), 0.5, dtype=np.float32)
    first, again, other = (
        apply_intensity(grey, AugmentationDraw(matrix=None, noise=0.1, noise_seed=seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert (grey == 0.5).all()
    assert abs(first.mean() - 0.5) < 1e-3
    assert abs(first.std() - 0.1) < 1e-3
    neighbours = [(first[0, :, :-1], first[0, :, 1:]), (first[0, :-1], first[0, 1:]), (first[0], first[1])]
    for one, another in [*neighbours, (first, other)]:
        assert abs(np.corrcoef(one.ravel(), another.ravel())[0, 1]) < 0.015


def test_contrast_brightness_and_noise_of_wide_images() -> None:
    """Three planes, wider than OpenCV's 512 channels: every step as its formula says."""
    image = np.random.default_rng(2).random((3, 20, 700)).astype(np.float32)
    draw = AugmentationDraw(matrix=None, contrast=0.8, brightness=0.05, gamma=1.3)
    expected = np.clip((image - image.mean()) * 0.8 + image.mean() + 0.05, 0, 1) ** 1.3
    np.testing.assert_allclose(apply_intensity(image, draw), expected, atol=1e-5)


def test_the_second_generator_changes_nothing_of_the_first() -> None:
    """Today's ranges draw the same with it; so do wide ones, but for the changes that are its own."""
    for ranges in (Augmentation(), WIDE_AUGMENTATION):
        alone, both = (
            draw_augmentation(np.random.default_rng(7), ranges, size=(64, 48), second=second)
            for second in (None, np.random.default_rng(8))
        )
        np.testing.assert_array_equal(alone.matrix, both.matrix)
        names = ("gamma", "contrast", "brightness", "noise", "blur_px", "noise_seed")
        assert [getattr(alone, name) for name in names] == [getattr(both, name) for name in names]
        assert alone.knots is None
        assert alone.strong is None


def test_a_probability_of_zero_turns_everything_off() -> None:
    """The level "off", and wide ranges with a probability of 0, leave every image as it is."""
    for ranges in (AUGMENTATIONS["off"], replace(WIDE_AUGMENTATION, probability=0.0)):
        rng, second = np.random.default_rng(0), np.random.default_rng(1)
        for _ in range(20):
            draw = draw_augmentation(rng, ranges, size=(64, 48), second=second)
            assert draw == AugmentationDraw(matrix=None, noise_seed=draw.noise_seed)


def test_displacement_is_smooth_and_bounded() -> None:
    """Elastic deformation: at most about twice the deviation, no folds, the size of the frame."""
    ranges = Augmentation(elastic=0.015, elastic_probability=1.0)
    for seed in range(50):
        draw = draw_augmentation(
            np.random.default_rng(seed), ranges, size=(96, 64), second=np.random.default_rng([seed, 1])
        )
        field = displacement_of(draw, size=(96, 64))
        assert field is not None
        assert field.shape == (96, 64, 2)
        assert np.abs(field).max() < 1.3 * 2 * 0.015 * 80
        assert min(np.diff(field[..., 0], axis=1).min(), np.diff(field[..., 1], axis=0).min()) > -0.9


def test_a_displacement_moves_to_another_frame() -> None:
    """Twice the resolution and a shift: twice the displacement at the corresponding points."""
    field = np.random.default_rng(0).random((1, 1, 2)).astype(np.float32) * np.ones((20, 30, 2), np.float32)
    field[..., 0] += np.arange(30)
    matrix = np.array([[2.0, 0, 5], [0, 2, 3], [0, 0, 1]])
    moved = move_displacement(field, matrix, size=(60, 80))
    assert moved is not None
    np.testing.assert_allclose(moved[3 + 2 * 10, 5 + 2 * 12], 2 * field[10, 12], rtol=1e-4)
    assert move_displacement(None, matrix, size=(6, 8)) is None
