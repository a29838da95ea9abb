from pathlib import Path

import numpy as np
import pytest

from cervseg.core.errors import ImageError
from cervseg.imageio import write_gray
from cervseg.imageio.channels import read_channels


def write_channel(path: Path, *, shape: tuple[int, int] = (20, 30), dtype: type = np.uint8) -> np.ndarray:
    pixels = np.random.default_rng(len(path.stem)).integers(0, 255, shape).astype(dtype)
    write_gray(path, pixels)
    return pixels


def test_channels_are_stacked_in_order(tmp_path: Path) -> None:
    """One file per channel gives C x H x W; 8 and 16 bits together give 16 bits."""
    paths = [tmp_path / "a_0000.png", tmp_path / "a_0001.png"]
    first, second = write_channel(paths[0]), write_channel(paths[1], dtype=np.uint16)
    image = read_channels(paths)
    assert (image.pixels.dtype, image.path) == (np.uint16, paths[0])
    np.testing.assert_array_equal(image.pixels, np.stack([first, second]))
    np.testing.assert_array_equal(read_channels(paths[:1]).pixels, first[np.newaxis])


def test_channels_of_different_sizes_are_refused(tmp_path: Path) -> None:
    """The error names each file with its size."""
    paths = [tmp_path / "a_0000.png", tmp_path / "a_0001.png"]
    write_channel(paths[0])
    write_channel(paths[1], shape=(20, 28))
    with pytest.raises(ImageError, match=r"a_0000\.png 30 x 20, a_0001\.png 28 x 20"):
        read_channels(paths)
