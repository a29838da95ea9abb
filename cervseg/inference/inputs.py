"""Which images to predict, and what their masks are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import ImageError
from cervseg.imageio import SUFFIXES, list_images, stem_of

# Formats that keep label values exactly; a mask of any other image is a PNG.
_MASK_SUFFIXES = {".png", ".bmp", ".tif", ".tiff"}
_CHANNEL = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")


@dataclass(frozen=True, kw_only=True)
class ImageJob:
    """One image to predict: its files (one per channel) and the file of its mask."""

    images: tuple[Path, ...]
    mask: Path


def list_jobs(images: Path, output: Path, *, num_channels: int) -> list[ImageJob]:
    """The images of a folder (or the one image given), each with the name of its mask.

    A mask is called like its image. Where a model has several channels, or every image is called
    ``<case>_0000``, names follow nnU-Net: ``<case>_0000.png`` ... make ``<case>.png``.

    Raises:
        ImageError: there is no image, or the masks would lie on the images.
    """
    if not images.exists():
        raise ImageError("no such file or folder", where=images)
    folder = images if images.is_dir() else images.parent
    if folder.resolve() == output.resolve():
        raise ImageError(
            "the masks would overwrite the images", where=output, hint="Name another folder with -o."
        )
    files = list_images(images) if images.is_dir() else [images]
    if not files:
        raise ImageError(
            "no images in this folder", where=images, hint=f"Known endings: {' '.join(sorted(SUFFIXES))}."
        )
    if num_channels > 1 or all(_channel(path) == "0000" for path in files):
        return _channel_jobs(files, output, num_channels)
    return [
        ImageJob(images=(path,), mask=output / name)
        for path, name in zip(files, _mask_names(files), strict=True)
    ]


def _channel(path: Path) -> str | None:
    match = _CHANNEL.match(stem_of(path))
    return match["channel"] if match else None


def _mask_names(files: Sequence[Path]) -> list[str]:
    """One name an image; images that differ only in their ending keep it in the name."""
    stems = Counter(stem_of(path).lower() for path in files)
    names = []
    for path in files:
        suffix = path.suffix.lower() if path.suffix.lower() in _MASK_SUFFIXES else ".png"
        alone = stems[stem_of(path).lower()] == 1
        names.append(f"{stem_of(path)}{suffix}" if alone else f"{path.name.replace('.', '_')}.png")
    return names


def _channel_jobs(files: Sequence[Path], output: Path, num_channels: int) -> list[ImageJob]:
    groups: dict[str, dict[str, Path]] = {}
    for path in files:
        match = _CHANNEL.match(stem_of(path))
        if match:
            groups.setdefault(match["case"], {})[match["channel"]] = path
    wanted = [f"{channel:04d}" for channel in range(num_channels)]
    lacking = [case for case, found in groups.items() if sorted(found) != wanted]
    if lacking or not groups:
        raise ImageError(
            f"this model wants {num_channels} channel(s) an image, named <case>_0000 to <case>_{wanted[-1]}",
            where=f"{files[0].parent} ({lacking[0] if lacking else files[0].name})",
        )
    return [
        ImageJob(images=tuple(found[channel] for channel in wanted), mask=output / f"{case}.png")
        for case, found in sorted(groups.items())
    ]
