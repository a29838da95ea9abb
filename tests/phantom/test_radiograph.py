from __future__ import annotations

import cv2
import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.phantom.anatomy import BODY_LEVELS, LEVELS, draw_anatomy
from cervseg.phantom.radiograph import PhantomImage, attenuation_map, make_phantom
from cervseg.phantom.view import View, draw_view


@pytest.fixture(scope="module")
def images() -> list[PhantomImage]:
    return [make_phantom(seed=11, index=i, long_side_px=320) for i in range(8)]


def test_same_seed_and_index_same_bits() -> None:
    """Seed and index determine an image completely."""
    one, two, other = (make_phantom(seed=4, index=i, long_side_px=240) for i in (2, 2, 3))
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(one.mask, two.mask)
    assert one.landmarks == two.landmarks
    assert not np.array_equal(one.pixels[:200, :150], other.pixels[:200, :150])


def test_pixels_of_a_seed_stay(images: list[PhantomImage]) -> None:
    """Means of 3 x 2 tiles of two images; they change only with the anatomy, the view or the exposure."""
    expected = [
        [135.49, 97.93, 77.56, 75.48, 63.77, 176.03],
        [81.41, 163.10, 82.17, 123.05, 138.43, 142.72],
    ]
    for image, means in zip(images, expected):
        tiles = cv2.resize(image.pixels.astype(np.float32), (2, 3), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(tiles.ravel(), means, atol=0.05)


def test_c1_is_the_club_at_the_end_of_the_posterior_arch() -> None:
    """The mask of C1 is 6 to 13 mm wide, lies above and behind the base of C2's process, and is bright."""
    for index in range(4):
        image = make_phantom(seed=11, index=index, long_side_px=600, facing="left", posture="neutral")
        rows, columns = np.nonzero(image.level_masks["C1"])
        assert 6 < (np.ptp(columns) + 1) * image.mm_per_pixel < 13
        x, y = image.landmarks["C2 spinolaminar"]
        assert rows.mean() < y - 5 / image.mm_per_pixel
        assert columns.mean() > x
        around = cv2.dilate(image.level_masks["C1"], np.ones((15, 15), np.uint8)) > 0
        inside = image.level_masks["C1"] > 0
        assert image.pixels[inside].mean() > np.percentile(image.pixels[around & ~inside], 30)


def test_arrays_are_what_the_docstring_says(images: list[PhantomImage]) -> None:
    """Arrays are uint8 of one shape; masks have values 0 and 1; the mask is the union of the levels."""
    for image in images:
        assert image.pixels.dtype == image.mask.dtype == np.uint8
        assert image.pixels.shape == image.mask.shape
        assert tuple(image.level_masks) == LEVELS
        assert set(np.unique(image.mask)) == {0, 1}
        np.testing.assert_array_equal(image.mask, np.maximum.reduce(list(image.level_masks.values())))


def test_landmarks_are_csxa_names_and_tips(images: list[PhantomImage]) -> None:
    """There are 23 points of the bodies with CSXA's labels, and two points per spinous process."""
    expected = {"C2 centroid", "C2 bottom left", "C2 bottom right"}
    expected |= {
        f"{n} {v} {h}" for n in BODY_LEVELS[1:] for v in ("top", "bottom") for h in ("left", "right")
    }
    assert len(expected) == 23
    expected |= {f"{n} {what}" for n in BODY_LEVELS for what in ("spinous tip", "spinolaminar")}
    for image in images:
        assert set(image.landmarks) == expected
        for level in BODY_LEVELS[1:]:
            anterior, posterior = (
                image.landmarks[f"{level} top left"][0],
                image.landmarks[f"{level} top right"][0],
            )
            assert (anterior < posterior) == (image.attributes["facing"] == "left")


def test_most_of_the_spine_is_on_the_image(images: list[PhantomImage]) -> None:
    """Bodies C3 to C6 are inside every image."""
    for image in images:
        height, width = image.pixels.shape
        for level in BODY_LEVELS[1:5]:
            x, y = image.landmarks[f"{level} top left"]
            assert 0 < x < width
            assert 0 < y < height


def test_tips_and_spinolaminar_points_are_on_the_border_of_the_mask(images: list[PhantomImage]) -> None:
    """They are within 1.5 px of the border of the level's mask, if they are inside the image."""
    for image in images:
        for level in BODY_LEVELS:
            mask = image.level_masks[level]
            contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            border = np.concatenate(contours)[:, 0].astype(float)
            for name in (f"{level} spinous tip", f"{level} spinolaminar"):
                point = np.array(image.landmarks[name])
                if np.all((point > 3) & (point < np.array(mask.shape[::-1]) - 3)):
                    assert np.linalg.norm(border - point, axis=1).min() < 1.5, name


def test_mask_area_equals_outline_area() -> None:
    """Rasterization does not change the area of a process."""
    anatomy = draw_anatomy(np.random.default_rng(0), posture="neutral", fracture=False)
    image = make_phantom(seed=2, index=0, long_side_px=900, fracture=False, posture="neutral")
    tip, base = (np.array(image.landmarks[f"C5 {n}"]) for n in ("spinous tip", "spinolaminar"))
    length_mm = np.linalg.norm(tip - base) * image.mm_per_pixel
    area_mm2 = image.level_masks["C5"].sum() * image.mm_per_pixel**2
    x, y = anatomy["C5"].process_outline_local_mm().T
    outline_mm2 = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    mean_height_mm = outline_mm2 / anatomy["C5"].process_length_mm
    assert area_mm2 / length_mm == pytest.approx(mean_height_mm, rel=0.15)


def test_facing_flips_landmarks_and_masks() -> None:
    """Landmarks and mask of a patient facing right are those of facing left, flipped."""
    left, right = (make_phantom(seed=9, index=1, long_side_px=256, facing=way) for way in ("left", "right"))
    width = left.pixels.shape[1]
    for name, (x, y) in left.landmarks.items():
        assert right.landmarks[name] == pytest.approx((width - 1 - x, y))
    assert np.mean(left.mask[:, ::-1] != right.mask) < 0.001


def test_attenuation_adds_over_solids() -> None:
    """The map of several solids is the sum of their maps (Beer-Lambert)."""
    anatomy = draw_anatomy(np.random.default_rng(0))
    view = draw_view(np.random.default_rng(0), long_side_px=200, facing="left")
    bones = anatomy["C4"].solids()[:3]
    total = attenuation_map(bones, view, rng=np.random.default_rng(1))
    parts = sum(attenuation_map([bone], view, rng=np.random.default_rng(1)) for bone in bones)
    np.testing.assert_allclose(total, parts, atol=2e-5)


def test_view_keeps_the_position_of_a_point_under_scaling() -> None:
    """In a resized copy, (x + 0.5) is scaled, as in image resizing."""
    view = View(size_px=(400, 300), mm_per_pixel=0.5, centre=(0.5, 0.5), rotation_deg=10, faces_right=True)
    point = np.array([12.0, -7.0, 1.0])
    np.testing.assert_allclose(view.mm_to_px(scale=2.0) @ point + 0.5, 2.0 * (view.mm_to_px() @ point + 0.5))


def test_drawn_sizes_and_scales() -> None:
    """Images are 480 to 2500 px high, in portrait format, with 0.08 to 0.55 mm per pixel."""
    views = [draw_view(np.random.default_rng(i), long_side_px=None, facing=None) for i in range(200)]
    for view in views:
        height, width = view.size_px
        assert 480 <= height <= 2500
        assert 0.69 < width / height < 0.83
        assert 0.08 < view.mm_per_pixel < 0.55
        assert 210 < view.mm_per_pixel * height < 265
    assert {view.faces_right for view in views} == {True, False}


def test_special_cases_on_request() -> None:
    """Attributes have the hardware, the level of a fracture and the pair of overlapping processes."""
    image = make_phantom(seed=1, index=0, long_side_px=256, hardware=True, fracture=True, posture="neutral")
    plain = make_phantom(seed=1, index=0, long_side_px=256, hardware=False, fracture=False, posture="neutral")
    assert image.attributes["hardware"] is True
    assert image.attributes["fracture"] in ("C6", "C7")
    assert (plain.attributes["hardware"], plain.attributes["fracture"]) == (False, "")
    close = [
        make_phantom(seed=1, index=i, long_side_px=256, overlap=True, posture="neutral") for i in range(4)
    ]
    assert any(image.attributes["overlap"] for image in close)


def test_too_small_size_raises() -> None:
    """The hint has the smallest size."""
    with pytest.raises(DatasetError, match="64 px"):
        make_phantom(seed=0, index=0, long_side_px=10)


def test_grey_values_are_plausible() -> None:
    """Air is dark, shoulders are bright, and a process is brighter than the soft tissue behind its tip."""
    images = [make_phantom(seed=11, index=i, long_side_px=320, posture="neutral") for i in range(8)]
    steps = []
    for image in images:
        assert np.percentile(image.pixels, 2) < 60
        assert np.percentile(image.pixels, 98) > 180
        for level in ("C3", "C4"):
            base, tip = (np.array(image.landmarks[f"{level} {n}"]) for n in ("spinolaminar", "spinous tip"))
            inside, behind = (np.round(base + share * (tip - base)).astype(int) for share in (0.6, 1.5))
            steps.append(
                float(image.pixels[inside[1], inside[0]]) - float(image.pixels[behind[1], behind[0]])
            )
    assert np.mean(steps) > 15
