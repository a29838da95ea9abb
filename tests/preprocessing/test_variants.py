import cv2
import numpy as np
import pytest

from cervseg.core.errors import PlanError
from cervseg.preprocessing.variants import apply_variant
from tests.shapes import blob_image


def test_clahe_is_opencvs() -> None:
    """Clip limit 2.0 and 8 x 8 tiles, on the image as it is."""
    pixels, _ = blob_image((120, 100))
    expected = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(pixels)
    np.testing.assert_array_equal(apply_variant(pixels[None], "clahe")[0], expected)


def test_original_changes_nothing_and_an_unknown_variant_is_refused() -> None:
    """The image itself comes back; a wrong word lists the right ones."""
    pixels = blob_image((40, 40))[0][None]
    assert apply_variant(pixels, "original") is pixels
    assert apply_variant(pixels, "augmented") is pixels  # its copies are made by the cache, for training
    with pytest.raises(PlanError, match="clahe"):
        apply_variant(pixels, "klahe")
