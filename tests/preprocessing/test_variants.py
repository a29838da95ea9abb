import cv2
import numpy as np
import pytest

from cervseg.core.errors import PlanError
from cervseg.preprocessing.variants import apply_variant
from tests.shapes import blob_image


def test_clahe_equals_opencv() -> None:
    """CLAHE has clip limit 2.0 and 8 x 8 tiles, at the size of the image."""
    pixels, _ = blob_image((120, 100))
    expected = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(pixels)
    np.testing.assert_array_equal(apply_variant(pixels[None], "clahe")[0], expected)


def test_original_is_unchanged_and_unknown_variant_raises() -> None:
    """The same array is returned; the hint of the error lists the variants."""
    pixels = blob_image((40, 40))[0][None]
    assert apply_variant(pixels, "original") is pixels
    assert apply_variant(pixels, "augmented") is pixels  # the cache adds the copies
    with pytest.raises(PlanError, match="clahe"):
        apply_variant(pixels, "klahe")
