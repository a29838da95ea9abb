import cv2
import numpy as np
import pytest

from cervseg.core.errors import ImageError
from cervseg.figures.overlays import (
    PALETTE,
    REFERENCE_RGB,
    contact_sheet,
    label_colour,
    line_width,
    overlay,
    to_grey,
    write_overlay,
)


def image(size=(60, 80), dtype=np.uint8):
    """A ramp."""
    high = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1.0
    return (np.linspace(0, 1, size[0] * size[1]).reshape(size) * high).astype(dtype)


def square(size=(60, 80), value=1, at=20):
    """A mask of one 20 x 20 square."""
    mask = np.zeros(size, np.uint8)
    mask[at : at + 20, at : at + 20] = value
    return mask


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_image_stays_visible(dtype):
    """Outside of the mask the picture is the windowed image; inside it is tinted, not covered."""
    pixels = image(dtype=dtype)
    picture = overlay(pixels, square())
    plain = overlay(pixels, np.zeros_like(square()))
    assert picture.shape == (60, 80, 3)
    assert picture.dtype == np.uint8
    outside = cv2.dilate(square(), np.ones((5, 5), np.uint8)) == 0
    assert np.array_equal(picture[outside], plain[outside])
    assert np.array_equal(plain[..., 0], plain[..., 2])
    inside = picture[25:35, 25:35].astype(int)
    assert np.all(np.abs(inside - plain[25:35, 25:35]) <= 0.25 * 255)
    assert not np.array_equal(inside, plain[25:35, 25:35])


def test_colours_of_labels_and_reference():
    """Each label's outline has its own colour, the reference's is white."""
    size = (200, 300)
    mask = square(size, at=60) + square(size, at=100, value=2)
    reference = np.zeros_like(mask)
    reference[150:170, 60:75] = 1
    picture = overlay(image(size), mask, reference=reference).astype(int)
    for place, colour in (((60, 70), PALETTE[0]), ((100, 110), PALETTE[1]), ((160, 60), REFERENCE_RGB)):
        assert np.abs(picture[place] - colour).max() < 30
    assert label_colour(1) == label_colour(1 + len(PALETTE))


def test_line_width_grows_with_the_image():
    """One pixel on small images, four on images of 2048."""
    assert [line_width((size, 300)) for size in (300, 512, 1024, 2048)] == [1, 1, 2, 4]


def test_window_is_robust():
    """One burnt-in white pixel does not darken the image; a constant image is drawn too."""
    pixels = np.tile(np.linspace(100, 200, 200).astype(np.uint16), (200, 1))
    pixels[0, 0] = 65535
    assert to_grey(pixels).mean() > 110
    assert to_grey(np.full((20, 20), 7, np.uint16)).shape == (20, 20)


def test_image_with_channels_and_bad_sizes():
    """C x H x W images show their first channel; a mask of another size is refused."""
    pixels = image()
    assert np.array_equal(overlay(pixels[None], square()), overlay(pixels, square()))
    with pytest.raises(ValueError, match="sizes differ"):
        overlay(pixels, square(size=(70, 80)))


def test_input_is_unchanged():
    """Drawing changes neither image nor mask."""
    pixels, mask = image(), square()
    kept = pixels.copy(), mask.copy()
    overlay(pixels, mask, reference=mask, names={1: "process"})
    assert np.array_equal(pixels, kept[0])
    assert np.array_equal(mask, kept[1])


def test_legend_takes_any_name():
    """Names with letters that OpenCV's font lacks, on an image smaller than the legend."""
    picture = overlay(image((20, 20)), np.ones((20, 20), np.uint8), names={1: "Dornfortsätze 棘突"})
    assert picture.shape == (20, 20, 3)


def test_written_whole(tmp_path):
    """RGB is read back as RGB, no other file is left, and an unknown format is an error."""
    write_overlay(tmp_path / "a.png", image(), square(), names={1: "process"})
    read = cv2.cvtColor(cv2.imread(str(tmp_path / "a.png")), cv2.COLOR_BGR2RGB)
    assert np.array_equal(read, overlay(image(), square(), names={1: "process"}))
    with pytest.raises(ImageError, match="unsupported picture format"):
        write_overlay(tmp_path / "a.xyz", image(), square())
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_contact_sheet(tmp_path):
    """Five pictures of several sizes in rows of three: two rows of cells."""
    pictures = [np.full((40 + 20 * i, 90, 3), 40 * i, np.uint8) for i in range(5)]
    contact_sheet(pictures, ["title " * 40] * 5, tmp_path / "sheet.png", 3, cell_px=128)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * (128 + 10 + 4) + 4, 3 * (128 + 4) + 4, 3)
    with pytest.raises(ValueError, match="cannot lay out"):
        contact_sheet([], [], tmp_path / "none.png", 3)
