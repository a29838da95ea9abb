"""Images that are unlike the training images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.core.types import Case, Fingerprint, RawImage
from cervseg.inference.familiarity import differences
from cervseg.phantom.radiograph import make_phantom
from cervseg.planning.fingerprint import compute_fingerprint

NUM_TRAINING = 8


def phantom(index: int, *, seed: int = 7, long_side_px: int = 320) -> np.ndarray:
    """Make a phantom radiograph, H x W uint8."""
    return make_phantom(seed=seed, index=index, long_side_px=long_side_px).pixels


def as_image(pixels: np.ndarray, *, is_colour: bool = False) -> RawImage:
    """Wrap H x W pixels as an image from a file."""
    return RawImage(
        pixels=np.ascontiguousarray(pixels)[None], spacing_mm=None, path=Path("a.png"), is_colour=is_colour
    )


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Fingerprint:
    """Measure the fingerprint of a few phantoms."""
    folder, cases = tmp_path_factory.mktemp("images"), []
    for index in range(NUM_TRAINING):
        path = folder / f"{index}.png"
        cv2.imwrite(str(path), phantom(index))
        cases.append(Case(id=path.stem, images=(path,), mask=None, group=path.stem))
    return compute_fingerprint(cases, labels={"process": 1}, workers=1, progress=False)


@pytest.mark.parametrize("long_side_px", [240, 640])
def test_phantoms_are_like_phantoms(training: Fingerprint, long_side_px: int) -> None:
    """Other phantoms, half or twice as large, give no warning."""
    for index in range(12):
        image = as_image(phantom(index, seed=99, long_side_px=long_side_px))
        assert differences(image, training) == ()


def test_colours_are_reported(training: Fingerprint) -> None:
    """A colour image is reported if all training images are grey."""
    image = as_image(phantom(0), is_colour=True)
    assert differences(image, training) == ("the image is in colour, the training images are grey",)
    assert training.appearance is not None
    coloured = replace(training, appearance=replace(training.appearance, num_colour=1))
    assert differences(image, coloured) == ()


def test_another_layout_is_reported(training: Fingerprint) -> None:
    """Inverted and rotated phantoms, and a bright arch on a square image, are reported."""
    arch = np.zeros((320, 320), np.uint8)
    cv2.ellipse(arch, (160, 120), (110, 130), 0, 20, 160, 220, 60)
    for pixels in (255 - phantom(3), np.rot90(phantom(3)), cv2.GaussianBlur(arch, (0, 0), 20)):
        assert any("bright and dark areas" in text for text in differences(as_image(pixels), training))


def test_other_sizes_and_greys_are_reported(training: Fingerprint) -> None:
    """A thumbnail, a strip and an almost black image are reported, each for its reason."""
    small, strip = cv2.resize(phantom(0), (60, 80)), phantom(0)[:120]
    assert "has 60 x 80 px" in " ".join(differences(as_image(small), training))
    assert "height / width is" in " ".join(differences(as_image(strip), training))
    known = replace(training, intensity_percentile_0_5=20.0)
    assert "median grey value is 3" in " ".join(differences(as_image(phantom(0) * 0 + np.uint8(3)), known))


def test_a_fingerprint_of_version_0_1_has_no_appearance(training: Fingerprint) -> None:
    """Without it neither colours nor layout are compared."""
    image = as_image(255 - phantom(3), is_colour=True)
    assert differences(image, replace(training, appearance=None)) == ()
