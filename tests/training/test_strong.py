from dataclasses import fields, replace

import numpy as np
import pytest

from cervseg.core.types import Augmentation
from cervseg.planning.constants import WIDE_AUGMENTATION
from cervseg.training.strong import (
    Collimation,
    Patch,
    StrongDraw,
    apply_strong,
    curve_table,
    draw_strong,
)

CHANGES = [
    field.name
    for field in fields(Augmentation)
    if field.name.endswith("_probability") and field.name != "elastic_probability"
]


def picture(height: int = 60, width: int = 50) -> np.ndarray:
    """A smooth ramp with texture, 1 x h x w in [0.2, 0.8]."""
    ramp = np.linspace(0.25, 0.75, width, dtype=np.float32)[None] * np.ones((height, 1), np.float32)
    return (ramp + np.random.default_rng(0).uniform(-0.05, 0.05, ramp.shape)).astype(np.float32)[None]


def changed(**drawn: object) -> np.ndarray:
    return apply_strong(picture(), StrongDraw(**drawn))  # type: ignore[arg-type]


def test_nothing_by_default() -> None:
    """Today's ranges never draw a change; the empty draw leaves an image bit-equal."""
    rng = np.random.default_rng(0)
    draws = [draw_strong(rng, Augmentation()) for _ in range(50)]
    assert all(draw == StrongDraw(seed=draw.seed) for draw in draws if draw is not None)
    np.testing.assert_array_equal(changed(), picture())


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_has_a_probability(name: str) -> None:
    """With a probability of one it changes the image, and the result is within [0, 1]; seeds repeat."""
    ranges = Augmentation(**{name: 1.0})
    for seed in range(5):
        draws = [draw_strong(np.random.default_rng(seed), ranges) for _ in range(2)]
        first, again = (apply_strong(picture(), draw) for draw in draws if draw is not None)
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - picture()).max() > 1e-4
        assert 0 <= first.min() <= first.max() <= 1


def test_a_fraction_of_the_images_is_changed() -> None:
    """``strong`` = 0.3: about 30 % of 2,000 images; none with 0."""
    rng, ranges = np.random.default_rng(1), replace(WIDE_AUGMENTATION, strong=0.3)
    share = np.mean([draw_strong(rng, ranges) is not None for _ in range(2000)])
    assert abs(share - 0.3) < 0.03
    assert draw_strong(rng, replace(ranges, strong=0.0)) is None


def test_curves_are_monotone_and_keep_the_ends() -> None:
    """Equal slopes are the identity; any slopes rise from 0 to 1; slopes 1 and 3 by hand."""
    np.testing.assert_allclose(curve_table(np.ones(5)), np.linspace(0, 1, 4096), atol=1e-6)
    for seed in range(20):
        table = curve_table(np.exp(np.random.default_rng(seed).standard_normal(5)))
        assert (np.diff(table) >= 0).all()
        assert (table[0], table[-1]) == (0.0, pytest.approx(1.0))
    # The slope 1 + 2 x, integrated and scaled: (x + x^2) / 2.
    assert curve_table(np.array([1.0, 3.0]))[2048] == pytest.approx(0.375, abs=1e-3)


def test_inversion_and_erasing_by_hand() -> None:
    """1 - image; a rectangle from 10 to 50 % of the width and 20 to 40 % of the height becomes grey."""
    np.testing.assert_allclose(changed(is_inverted=True), 1 - picture(), atol=1e-6)
    spoilt = changed(patches=(Patch(box=(0.1, 0.2, 0.5, 0.4), grey=0.9),))
    differs = spoilt != picture()
    assert np.argwhere(differs[0]).min(axis=0).tolist() == [12, 5]
    assert np.argwhere(differs[0]).max(axis=0).tolist() == [23, 24]
    assert np.unique(spoilt[differs]).tolist() == [np.float32(0.9)]


def test_collimation_darkens_outside_only() -> None:
    """The middle stays, the corner is scaled by the level."""
    corners = np.array([[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]])
    dark = changed(collimation=Collimation(corners=corners, level=0.25, edge_px=3))
    np.testing.assert_allclose(dark[0, 20:40, 20:30], picture()[0, 20:40, 20:30], atol=1e-6)
    np.testing.assert_allclose(dark[0, :5, :5], 0.25 * picture()[0, :5, :5], atol=1e-6)


def test_shading_is_multiplied_and_added() -> None:
    """A constant gain of 0.5 and haze of 0.1."""
    shading = np.stack([np.full((4, 4), 0.5), np.full((4, 4), 0.1)], axis=-1).astype(np.float32)
    np.testing.assert_allclose(changed(shading=shading), 0.5 * picture() + 0.1, atol=1e-5)


def test_sharpness_and_resolution_change_detail() -> None:
    """Sharpening raises the deviation of the texture, softening and a lower resolution reduce it."""
    detail = {
        name: float(np.diff(image[0], axis=1).std())
        for name, image in {
            "given": picture(),
            "sharp": changed(sharpness=1.0, sharpness_px=2.0),
            "soft": changed(sharpness=-0.7, sharpness_px=2.0),
            "coarse": changed(resolution=3.0),
        }.items()
    }
    assert detail["sharp"] > 1.5 * detail["given"]
    assert detail["soft"] < 0.6 * detail["given"]
    assert detail["coarse"] < 0.5 * detail["given"]


def test_noise_is_as_strong_as_drawn() -> None:
    """Grain has its deviation whatever its blur; 10 % impulses are half black, half white."""
    grey = np.full((1, 400, 400), 0.5, dtype=np.float32)
    for grain_px in (0.6, 1.0, 2.0):
        noisy = apply_strong(grey.copy(), StrongDraw(grain=0.05, grain_px=grain_px))
        assert noisy.std() == pytest.approx(0.05, rel=0.05)
    spoilt = apply_strong(grey.copy(), StrongDraw(impulse=0.1))
    assert (spoilt == 0).mean() == pytest.approx(0.05, abs=0.005)
    assert (spoilt == 1).mean() == pytest.approx(0.05, abs=0.005)


def test_equalization_raises_local_contrast() -> None:
    """A faint pattern in a dark corner becomes stronger."""
    image = picture(128, 128)
    image[0, :32, :32] = 0.1 + 0.02 * (np.indices((32, 32)).sum(axis=0) // 4 % 2)
    clear = apply_strong(image.copy(), StrongDraw(clip_limit=5.0))
    assert clear[0, :32, :32].std() > 1.5 * image[0, :32, :32].std()


def test_planes_share_changes_but_not_noise() -> None:
    """Two equal channels get the same curve and other grain."""
    both = np.repeat(picture(), 2, axis=0)
    bent = apply_strong(both.copy(), StrongDraw(slopes=np.array([1.0, 3.0, 1.0, 0.5, 2.0])))
    np.testing.assert_array_equal(bent[0], bent[1])
    noisy = apply_strong(both.copy(), StrongDraw(grain=0.05))
    assert (noisy[0] != noisy[1]).any()
