"""The image files of one case as one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cervseg.core.errors import ImageError
from cervseg.core.types import RawImage
from cervseg.imageio.image import read_image


def read_channels(paths: Sequence[Path]) -> RawImage:
    """Read the channels of one case and stack them.

    Args:
        paths: one file per channel, in the order of the channels; at least one.

    Returns:
        ``pixels`` are C x H x W in the smallest dtype that holds all channels; spacing, its source and the
        path are those of the first file; it is in colour if any channel is.

    Raises:
        ImageError: a file cannot be read, or the channels differ in size.
    """
    images = [read_image(path) for path in paths]
    sizes = {image.path.name: image.pixels.shape[1:] for image in images}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {width} x {height}" for name, (height, width) in sizes.items())
        raise ImageError(
            f"channels differ in size: {listed}",
            where=images[0].path,
            hint="export all channels of a case at one size",
        )
    return replace(
        images[0],
        pixels=np.concatenate([image.pixels for image in images]),
        is_colour=any(image.is_colour for image in images),
    )
