"""Images to predict, and the names of their masks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import ImageError
from cervseg.imageio import SUFFIXES, list_images, list_other_files, stem_of

# Formats that keep label values exactly; masks of images in other formats are PNG.
_MASK_SUFFIXES = {".png", ".bmp", ".tif", ".tiff"}
_CHANNEL = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")


@dataclass(frozen=True, kw_only=True)
class ImageJob:
    """One image to predict: its files (one per channel) and the file of its mask."""

    images: tuple[Path, ...]
    mask: Path


def list_jobs(images: Path, output: Path, *, num_channels: int) -> list[ImageJob]:
    """List the images of a folder, or one image, with the names of their masks.

    A mask has the name of its image. If the model has several channels, or all images are named
    ``<case>_0000``, names follow nnU-Net: ``<case>_0000.png`` ... give ``<case>.png``.

    Args:
        images: a folder or an image.
        output: the folder for the masks.
        num_channels: channels of the model.

    Raises:
        ImageError: there is no image, a channel is missing, or masks would overwrite images.
    """
    if not images.exists():
        raise ImageError("no such file or folder", where=images)
    folder = images if images.is_dir() else images.parent
    if folder.resolve() == output.resolve():
        raise ImageError(
            "the masks would overwrite the images", where=output, hint="choose another folder with -o"
        )
    files = list_images(images) if images.is_dir() else [images]
    if not files:
        raise ImageError(
            "no images in this folder", where=images, hint=f"supported suffixes: {' '.join(sorted(SUFFIXES))}"
        )
    if num_channels > 1 or all(_channel(path) == "0000" for path in files):
        return _channel_jobs(files, output, num_channels)
    return [
        ImageJob(images=(path,), mask=output / name)
        for path, name in zip(files, _mask_names(files), strict=True)
    ]


def skipped_files(images: Path) -> tuple[Path, ...]:
    """List the files of a folder that are not images; empty for a single image."""
    return tuple(list_other_files(images)) if images.is_dir() else ()


def _channel(path: Path) -> str | None:
    match = _CHANNEL.match(stem_of(path))
    return match["channel"] if match else None


def _mask_names(files: Sequence[Path]) -> list[str]:
    """Name the mask of each image; images that differ only in their suffix keep it in the name."""
    stems = Counter(stem_of(path).lower() for path in files)
    names = []
    for path in files:
        suffix = path.suffix.lower() if path.suffix.lower() in _MASK_SUFFIXES else ".png"
        is_unique = stems[stem_of(path).lower()] == 1
        names.append(f"{stem_of(path)}{suffix}" if is_unique else f"{path.name.replace('.', '_')}.png")
    return names


def _channel_jobs(files: Sequence[Path], output: Path, num_channels: int) -> list[ImageJob]:
    groups: dict[str, dict[str, Path]] = {}
    for path in files:
        match = _CHANNEL.match(stem_of(path))
        if match:
            groups.setdefault(match["case"], {})[match["channel"]] = path
    expected = [f"{channel:04d}" for channel in range(num_channels)]
    incomplete = [case for case, found in groups.items() if sorted(found) != expected]
    if incomplete or not groups:
        raise ImageError(
            f"this model needs {num_channels} channel(s) per image, <case>_0000 to <case>_{expected[-1]}",
            where=f"{files[0].parent} ({incomplete[0] if incomplete else files[0].name})",
        )
    return [
        ImageJob(images=tuple(found[channel] for channel in expected), mask=output / f"{case}.png")
        for case, found in sorted(groups.items())
    ]
