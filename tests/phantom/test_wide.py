from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cervseg.phantom.anatomy import LEVELS, draw_anatomy
from cervseg.phantom.detector import draw_exposure
from cervseg.phantom.radiograph import PhantomImage, make_phantom, render_wide
from cervseg.phantom.view import View, draw_view
from cervseg.phantom.wide import WideScene, widen, widen_exposure, widen_view


def _scene(seed: int, *, long_side_px: int = 240) -> WideScene:
    body, image, wide = (np.random.default_rng([seed, stream]) for stream in range(3))
    view = draw_view(image, long_side_px=long_side_px, facing=None)
    return widen(draw_anatomy(body), view, draw_exposure(image), rng=wide, facing=None)


@pytest.fixture(scope="module")
def images() -> list[PhantomImage]:
    return [make_phantom(seed=3, index=i, long_side_px=240, domain="wide") for i in range(8)]


def test_same_seed_and_index_same_bits(images: list[PhantomImage]) -> None:
    """Seed and index determine an image of the wide domain completely."""
    again = make_phantom(seed=3, index=5, long_side_px=240, domain="wide")
    np.testing.assert_array_equal(again.pixels, images[5].pixels)
    np.testing.assert_array_equal(again.mask, images[5].mask)
    assert again.landmarks == images[5].landmarks


def test_arrays_and_labels(images: list[PhantomImage]) -> None:
    """Pixels are uint8 or uint16; masks are 0 and 1 and of the same shape; the long side is as asked for."""
    for image in images:
        assert image.pixels.dtype in (np.uint8, np.uint16)
        assert image.pixels.shape == image.mask.shape
        assert max(image.pixels.shape) == 240
        assert image.mask.dtype == np.uint8
        assert tuple(image.level_masks) == LEVELS
        np.testing.assert_array_equal(image.mask, np.maximum.reduce(list(image.level_masks.values())))
        assert image.mask.max() <= 1
        assert image.attributes["domain"] == "wide"
    assert sum(image.mask.any() for image in images) >= 7


def test_facing_and_posture_can_be_chosen() -> None:
    """Arguments that are given are kept."""
    image = make_phantom(seed=3, index=1, long_side_px=160, domain="wide", facing="right", posture="flexion")
    assert (image.attributes["facing"], image.attributes["posture"]) == ("right", "flexion")


def test_views_cover_the_ranges() -> None:
    """Fields are 100 to 330 mm high, aspects 0.6 to 1.1, rotations within 18 degrees, half face right."""
    standard = draw_view(np.random.default_rng(0), long_side_px=640, facing=None)
    views = [widen_view(standard, np.random.default_rng(i), facing=None) for i in range(300)]
    fields_mm = np.array([view.mm_per_pixel * view.size_px[0] for view in views])
    aspects = np.array([view.size_px[1] / view.size_px[0] for view in views])
    turns = np.array([view.rotation_deg for view in views])
    assert 100 <= fields_mm.min() < 130
    assert 310 < fields_mm.max() <= 330
    assert 0.59 < aspects.min() < 0.65
    assert 1.05 < aspects.max() < 1.11
    assert np.abs(turns).max() <= 18
    assert turns.std() > 5
    assert 0.4 < np.mean([view.faces_right for view in views]) < 0.6
    assert {max(view.size_px) for view in views} == {640}


def test_exposures_cover_the_ranges() -> None:
    """Scatter is 0.05 to 0.6, contrast 1 to 2.8, equalization 0 to 0.85, sharpening 0 to 1.6."""
    standard = draw_exposure(np.random.default_rng(0))
    drawn = [widen_exposure(standard, np.random.default_rng(i)) for i in range(300)]
    for name, low, high in (
        ("scatter", 0.05, 0.6),
        ("contrast", 1.0, 2.8),
        ("equalize", 0.0, 0.85),
        ("sharpen", 0.0, 1.6),
    ):
        values = np.array([getattr(exposure, name) for exposure in drawn])
        margin = 0.05 * (high - low)
        assert low <= values.min() < low + margin, name
        assert high - margin < values.max() <= high, name


def test_patients_are_wider_than_standard() -> None:
    """Lengths of C5's process and widths of its body spread further; the order of bodies stays."""
    standard = [draw_anatomy(np.random.default_rng([seed, 0])) for seed in range(30)]
    wide = [_scene(seed).anatomy for seed in range(30)]
    for size in ("process_length_mm", "body_width_mm"):
        narrow_sd, wide_sd = (np.std([getattr(a["C5"], size) for a in group]) for group in (standard, wide))
        assert wide_sd > 1.5 * narrow_sd, size
    for anatomy in wide:
        # From each body to the next is downwards, in the axes of the upper body.
        for above, below in zip(anatomy.vertebrae, anatomy.vertebrae[1:]):
            angle = np.deg2rad(above.pose.angle_deg)
            step = (below.pose.x_mm - above.pose.x_mm, below.pose.y_mm - above.pose.y_mm)
            assert -np.sin(angle) * step[0] + np.cos(angle) * step[1] > 5


def test_the_field_hides_masks() -> None:
    """Masks are 0 outside the collimated field, and only there."""
    scene = dataclasses.replace(
        _scene(1),
        view=View(size_px=(240, 200), mm_per_pixel=0.9, centre=(0.5, 0.5), rotation_deg=0, faces_right=False),
    )
    capture = dataclasses.replace(scene.capture, field="none", bars=(0.0, 0.0, 0.0, 0.0))
    halved = dataclasses.replace(
        capture, field="rectangle", field_centre=(0.5, 0.0), field_half=(1.0, 0.5), field_angle_deg=0.0
    )
    whole, cut = (
        render_wide(dataclasses.replace(scene, capture=c), rng=np.random.default_rng(0))
        for c in (capture, halved)
    )
    np.testing.assert_array_equal(cut.mask[:119], whole.mask[:119])
    assert whole.mask[122:].any()
    assert not cut.mask[122:].any()


def test_objects_change_pixels_but_no_mask() -> None:
    """Objects, texts and storage leave the masks as they are."""
    scene = _scene(2)
    capture = dataclasses.replace(scene.capture, field="none", bars=(0.0, 0.0, 0.0, 0.0), bits=8)
    plain = dataclasses.replace(
        scene, objects=(), capture=dataclasses.replace(capture, texts=(), inverted=False)
    )
    changed = dataclasses.replace(scene, capture=dataclasses.replace(capture, inverted=True, jpeg_quality=30))
    one, two = (render_wide(s, rng=np.random.default_rng(0)) for s in (plain, changed))
    assert not np.array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(one.mask, two.mask)


def test_other_bones_on_request() -> None:
    """With with_anatomy, masks of other bones come along."""
    image = make_phantom(seed=3, index=0, long_side_px=160, domain="wide", with_anatomy=True)
    assert set(image.anatomy_masks) == {"thoracic", "vertebral_body", "arch", "skull", "jaw"}
    assert image.anatomy_masks["vertebral_body"].any()
