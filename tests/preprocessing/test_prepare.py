from dataclasses import replace

import cv2
import numpy as np
import pytest

from cervseg.core.geometry import about_centre
from cervseg.core.types import Augmentation, Configuration, Hyperparameters
from cervseg.postprocessing.image_grid import to_image_grid
from cervseg.preprocessing.prepare import (
    label_coverage,
    make_frame,
    normalize,
    prepare,
    shrink,
    warp_image,
    warp_target,
)
from tests.shapes import blob_image


def configuration(size: tuple[int, int] = (96, 64), resize: str = "pad", norm: str = "unit") -> Configuration:
    return Configuration(
        name="test",
        input_size=size,
        resize=resize,
        normalization=norm,
        network={},
        loss="bce",
        hyperparameters=Hyperparameters(epochs=1, batch_size=1, learning_rate=1e-3),
        augmentation=Augmentation(),
    )


def test_training_and_prediction_prepare_the_same_image() -> None:
    """The steps of training (shrink, frame, warp, normalize) and `prepare` give bit-identical images."""
    pixels, _ = blob_image((900, 700))
    config = configuration((96, 64), norm="zscore")
    cached = shrink(pixels[None], long_side_px=512)
    frame = make_frame(cached, configuration=config, image_size=(900, 700))
    trained = normalize(warp_image(frame), "zscore")
    predicted = prepare(pixels[None], configuration=config, variant="original", cache_long_side_px=512)
    np.testing.assert_array_equal(predicted.image, trained)
    assert predicted.placement == frame.placement


def test_shrink_averages_and_never_enlarges() -> None:
    """A checkerboard shrinks to its mean; a small image is unchanged."""
    board = (np.indices((64, 64)).sum(0) % 2 * 200).astype(np.uint8)[None]
    np.testing.assert_array_equal(shrink(board, long_side_px=32), np.full((1, 32, 32), 100))
    assert shrink(board, long_side_px=64) is board


def test_twelve_bit_images_use_their_range() -> None:
    """A 12-bit image in 16 bits is scaled to [0, 1], not to [0, 1/16]."""
    pixels = np.linspace(0, 4095, 64 * 64).reshape(1, 64, 64).astype(np.uint16)
    case = prepare(pixels, configuration=configuration((64, 64)), variant="original", cache_long_side_px=1024)
    assert case.image.max() == pytest.approx(1.0)


def test_coverage_has_planes_in_the_order_of_the_values() -> None:
    """Planes are in the order of the label values."""
    mask = np.array([[0, 1], [2, 2]], dtype=np.uint8)
    coverage = label_coverage(mask, labels={"b": 2, "a": 1}, size=(2, 2))
    np.testing.assert_array_equal(coverage, [[[0, 255], [0, 0]], [[0, 0], [255, 255]]])


@pytest.mark.parametrize("seed", range(20))
def test_cropped_warp_equals_full_warp(seed: int) -> None:
    """The target equals the warp of the whole plane for any augmentation; without labels it is 0."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((130, 170), np.uint8)
    top, left = rng.integers(0, 120), rng.integers(0, 160)
    mask[top : top + 25, left : left + 9] = 1
    frame = make_frame(
        np.zeros((1, 130, 170), np.uint8),
        configuration=configuration((128, 96)),
        image_size=(130, 170),
        coverage=label_coverage(mask, labels={"a": 1, "b": 2}, size=(130, 170)),
    )
    turned = about_centre(
        size=(128, 96),
        rotation_deg=rng.uniform(-180, 180),
        scale=rng.uniform(0.5, 3),
        shear_deg=rng.uniform(-20, 20),
        translation_px=tuple(rng.uniform(-60, 60, 2)),
        flip_horizontal=bool(rng.integers(2)),
    )
    matrix = turned @ frame.placement.matrix_to_network
    whole = cv2.warpAffine(frame.coverage[0], matrix[:2], (96, 128), flags=cv2.INTER_LINEAR) >= 128
    target = warp_target(frame, augmentation=turned)
    assert target.dtype == np.float32
    assert np.count_nonzero(target[0] != whole) <= 1
    assert not target[1].any()


def test_displacement_joins_the_affine_warp() -> None:
    """No displacement is the affine warp; a constant one is a shift; image and target move together."""
    pixels, mask = blob_image((90, 60))
    coverage = label_coverage(mask, labels={"disc": 1}, size=(90, 60))
    frame = make_frame(
        pixels[None], configuration=configuration((96, 64)), image_size=(90, 60), coverage=coverage
    )
    turn = about_centre(size=(96, 64), rotation_deg=12, scale=1.1, shear_deg=3, translation_px=(2, -1))
    still = np.zeros((96, 64, 2), np.float32)
    np.testing.assert_allclose(
        warp_image(frame, augmentation=turn, displacement=still),
        warp_image(frame, augmentation=turn),
        atol=0.02,
    )
    shifted = still + np.array([3, 5], np.float32)  # the result at p is the image at p + (3, 5)
    for warp in (warp_image, warp_target):
        moved, plain = (warp(frame, augmentation=turn, displacement=shift)[0] for shift in (shifted, still))
        np.testing.assert_allclose(moved[:-5, :-3], plain[5:, 3:], atol=1e-3)
        assert plain.max() > 0


def test_a_displaced_target_is_not_cut() -> None:
    """Only a part of the frame is computed for labels: the result is that of the complete frame."""
    pixels, mask = blob_image((90, 60))
    coverage = label_coverage(mask, labels={"disc": 1}, size=(90, 60))
    frame = make_frame(
        pixels[None], configuration=configuration((96, 64)), image_size=(90, 60), coverage=coverage
    )
    everywhere = np.full_like(coverage, 1)
    everywhere[coverage > 0] = coverage[coverage > 0]  # the box of these labels is the whole image
    complete = replace(frame, coverage=everywhere)
    rng = np.random.default_rng(0)
    for _ in range(5):
        knots = rng.uniform(-12, 12, (4, 4, 2)).astype(np.float32)
        field = cv2.resize(knots, (64, 96), interpolation=cv2.INTER_CUBIC)
        expected = warp_target(complete, displacement=field)
        np.testing.assert_array_equal(warp_target(frame, displacement=field), expected)
        assert expected.sum() > 20


def test_a_crop_is_seen_larger_and_its_mask_lies_where_it_was() -> None:
    """A quarter of an image fills the frame: image and target warp together, and predictions find back."""
    pixels, mask = blob_image((160, 160))
    rows, columns = np.nonzero(mask)
    top, left = rows.min() / 160, columns.min() / 160
    crop = (top, left, min(1.0, top + 0.5), min(1.0, left + 0.5))
    config = replace(configuration((96, 96)), crop=crop)
    coverage = label_coverage(mask, labels={"disc": 1}, size=mask.shape)
    frame = make_frame(pixels[None], configuration=config, image_size=(160, 160), coverage=coverage)
    whole = make_frame(
        pixels[None], configuration=configuration((96, 96)), image_size=(160, 160), coverage=coverage
    )
    assert warp_target(frame).sum() > 2 * warp_target(whole).sum()
    back = to_image_grid(warp_target(frame), frame.placement)[0] > 0.5
    inside = np.zeros_like(mask, dtype=bool)
    inside[int(160 * crop[0]) : int(160 * crop[2]), int(160 * crop[1]) : int(160 * crop[3])] = True
    assert (back[inside] == (mask[inside] > 0)).mean() > 0.99
    case = prepare(pixels[None], configuration=config, variant="original", cache_long_side_px=512)
    np.testing.assert_array_equal(case.image, normalize(warp_image(frame), "unit"))
