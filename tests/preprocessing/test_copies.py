import cv2
import numpy as np
import pytest

from cervseg.core.geometry import about_centre, transform_points
from cervseg.preprocessing.copies import ROTATIONS_DEG, TRANSLATIONS_PX, rotated_copy
from tests.shapes import blob_image


def test_copy_is_one_of_the_published_transforms() -> None:
    """The centre of a small disc moves by one of the 16 transforms, the same in mask and image."""
    pixels, mask = np.zeros((1, 200, 160), np.uint8), np.zeros((200, 160), np.uint8)
    cv2.circle(mask, (95, 70), 9, 1, -1)
    pixels[0] = mask * np.uint8(200)
    copy, copied = rotated_copy(pixels, mask, case="a")
    assert copied is not None
    found = np.argwhere(copied)[:, ::-1].mean(axis=0)
    places = [
        transform_points(
            np.array([[95.0, 70.0]]),
            about_centre(size=(200, 160), rotation_deg=r, scale=1, shear_deg=0, translation_px=(x, y)),
        )[0]
        for r in ROTATIONS_DEG
        for x in TRANSLATIONS_PX
        for y in TRANSLATIONS_PX
    ]
    assert min(np.hypot(*(place - found)) for place in places) < 0.3
    assert set(np.unique(copied)) == {0, 1}
    in_image = np.argwhere(copy[0] > 100)[:, ::-1].mean(axis=0)
    np.testing.assert_allclose(in_image, found, atol=0.2)


def test_copy_depends_on_the_case_only() -> None:
    """The same case gives the same copy; every rotation occurs over many cases."""
    pixels = blob_image((80, 60))[0][None]
    np.testing.assert_array_equal(
        rotated_copy(pixels, None, case="a")[0], rotated_copy(pixels, None, case="a")[0]
    )
    kinds = {rotated_copy(pixels, None, case=str(number))[0].tobytes() for number in range(200)}
    assert len(kinds) == len(ROTATIONS_DEG) * len(TRANSLATIONS_PX) ** 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_dtype_and_shape_are_kept(dtype: type) -> None:
    """The copy has the channels, size and dtype of its source."""
    copy, mask = rotated_copy(np.ones((2, 31, 47), dtype), None, case="b")
    assert (copy.shape, copy.dtype, mask) == ((2, 31, 47), np.dtype(dtype), None)
