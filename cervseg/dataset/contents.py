"""The files of a dataset's folder by case."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.imageio.listing import list_images, stem_of

_IMAGE_NAME = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})", re.DOTALL)
SPLITS = ("Tr", "Ts")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The files of one split.

    Args:
        images: case -> channel -> files; more than one if only their suffixes differ.
        masks: case -> files.
        strays: images without a channel number in their names.
    """

    images: dict[str, dict[int, tuple[Path, ...]]]
    masks: dict[str, tuple[Path, ...]]
    strays: tuple[Path, ...]


def scan(folder: Path, *, split: str) -> Contents:
    """Sort the files of ``folder``/images<split> and labels<split> by case, without opening them.

    Args:
        folder: the dataset's folder.
        split: "Tr" or "Ts".

    Raises:
        DatasetError: ``folder`` is missing.
        ValueError: ``split`` is neither "Tr" nor "Ts".
    """
    if split not in SPLITS:
        raise ValueError(f'split must be "Tr" or "Ts", got {split!r}')
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError("no such dataset folder", where=folder)
    images: dict[str, dict[int, tuple[Path, ...]]] = defaultdict(dict)
    masks: dict[str, tuple[Path, ...]] = {}
    strays = []
    for path in _files(folder / f"images{split}"):
        match = _IMAGE_NAME.fullmatch(stem_of(path))
        if match is None:
            strays.append(path)
            continue
        channels = images[match["case"]]
        channel = int(match["channel"])
        channels[channel] = (*channels.get(channel, ()), path)
    for path in _files(folder / f"labels{split}"):
        case = stem_of(path)
        masks[case] = (*masks.get(case, ()), path)
    return Contents(images=dict(images), masks=masks, strays=tuple(strays))


def _files(folder: Path) -> list[Path]:
    return list_images(folder) if folder.is_dir() else []
