import numpy as np
import pytest

from cervseg.core.geometry import about_centre, around, place, transform_points


@pytest.mark.parametrize("resize", ["pad", "stretch"])
@pytest.mark.parametrize("image_size", [(691, 482), (480, 2500), (17, 1024)])
def test_placement_has_an_exact_inverse(resize: str, image_size: tuple[int, int]) -> None:
    """Points mapped to the network frame and back are equal."""
    placement = place(image_size=image_size, network_size=(384, 288), resize=resize)
    points = np.array([[0.0, 0.0], [image_size[1] - 1, image_size[0] - 1], [3.3, 4.7]])
    there = transform_points(points, placement.matrix_to_network)
    np.testing.assert_allclose(transform_points(there, placement.matrix_to_image), points, atol=1e-9)


def test_padding_keeps_the_aspect_and_centres() -> None:
    """An image of 200 x 100 px in a frame of 100 x 100 px: halved, with margins of 25 px left and right."""
    placement = place(image_size=(200, 100), network_size=(100, 100), resize="pad")
    corners = transform_points(np.array([[-0.5, -0.5], [99.5, 199.5]]), placement.matrix_to_network)
    np.testing.assert_allclose(corners, [[24.5, -0.5], [74.5, 99.5]])


def test_stretching_fills_the_frame() -> None:
    """The outer edges of the image map to those of the frame."""
    placement = place(image_size=(50, 80), network_size=(64, 32), resize="stretch")
    corners = transform_points(np.array([[-0.5, -0.5], [79.5, 49.5]]), placement.matrix_to_network)
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [31.5, 63.5]])


@pytest.mark.parametrize("resize", ["pad", "stretch"])
def test_a_crop_fills_the_frame(resize: str) -> None:
    """The outer edges of the middle half of a square image map to those of a square frame."""
    placement = place(
        image_size=(80, 80), network_size=(20, 20), resize=resize, crop=(0.25, 0.25, 0.75, 0.75)
    )
    corners = transform_points(np.array([[19.5, 19.5], [59.5, 59.5]]), placement.matrix_to_network)
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [19.5, 19.5]])
    assert placement.image_size == (80, 80)


def test_boxes_by_hand() -> None:
    """The box around two boxes; none around none."""
    assert around([(0.1, 0.5, 0.4, 0.6), (0.2, 0.3, 0.3, 0.9)]) == (0.1, 0.3, 0.4, 0.9)
    assert around([]) is None


def test_unknown_resize_is_refused() -> None:
    """An unknown way of resizing raises."""
    with pytest.raises(ValueError, match="pad"):
        place(image_size=(8, 8), network_size=(8, 8), resize="crop")


def test_rotation_turns_counter_clockwise_about_the_centre() -> None:
    """By hand: 90 degrees move the right end of a 5 x 5 frame to the top."""
    matrix = about_centre(size=(5, 5), rotation_deg=90, scale=1, shear_deg=0, translation_px=(0, 0))
    np.testing.assert_allclose(transform_points(np.array([[4.0, 2.0]]), matrix), [[2.0, 0.0]], atol=1e-12)


def test_scale_and_translation_by_hand() -> None:
    """Twice the size about the centre (2, 2), then 1 px right and 3 px down."""
    matrix = about_centre(size=(5, 5), rotation_deg=0, scale=2, shear_deg=0, translation_px=(1, 3))
    np.testing.assert_allclose(transform_points(np.array([[3.0, 2.0]]), matrix), [[5.0, 5.0]])
