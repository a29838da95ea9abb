"""Pairs of images and masks by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cervseg.imageio.listing import list_images, stem_of

_MASK_ENDING = re.compile(r"[ ._-](mask|masks|seg|segmentation|label|labels|gt)$", re.IGNORECASE)
_CHANNEL_ENDING = re.compile(r"_0000$")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An image and its mask; ``id`` is their common name. ``mask`` is None where only images are listed."""

    id: str
    image: Path
    mask: Path | None


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """The pairs of two folders.

    Args:
        pairs: the pairs, sorted by id.
        images_without_mask: images that have no mask.
        masks_without_image: masks that have no image.
        doubled: files that share a name, so that they cannot be paired.
        num_renamed: number of pairs whose names differ by an ending such as _mask or _0000.
    """

    pairs: tuple[Pair, ...]
    images_without_mask: tuple[Path, ...]
    masks_without_image: tuple[Path, ...]
    doubled: tuple[Path, ...]
    num_renamed: int


def pair_folders(images: Path, masks: Path) -> Pairing:
    """Pair the files of two folders, which may be the same, by their names without suffix.

    A mask with exactly the image's name is preferred; else endings _mask, -mask, _seg, _label and the like
    are removed from the mask's name, and _0000 from both. Images that end up with the same name are
    ``doubled``, and so are masks.

    Args:
        images: folder of images.
        masks: folder of masks.

    Raises:
        OSError: a folder cannot be read.
    """
    image_files, mask_files = list_images(images), list_images(masks)
    if images.resolve() == masks.resolve():
        mask_files = [path for path in image_files if _MASK_ENDING.search(stem_of(path))]
        image_files = [path for path in image_files if path not in set(mask_files)]
    by_case, exact = _by(image_files, case_id), _by(mask_files, stem_of)
    loose = _by(mask_files, _mask_id)
    pairs, lonely, doubled, used = [], [], [], set()
    num_renamed = 0
    for case, paths in sorted(by_case.items()):
        stem = stem_of(paths[0])
        candidates = exact.get(stem) or exact.get(case) or loose.get(case, [])
        if len(paths) > 1 or len(candidates) > 1:
            doubled += [*(paths if len(paths) > 1 else []), *(candidates if len(candidates) > 1 else [])]
        elif not candidates:
            lonely.append(paths[0])
        else:
            pairs.append(Pair(id=case, image=paths[0], mask=candidates[0]))
            num_renamed += stem_of(candidates[0]) != stem
        used.update(candidates)
    return Pairing(
        pairs=tuple(pairs),
        images_without_mask=tuple(lonely),
        masks_without_image=tuple(path for path in mask_files if path not in used),
        doubled=tuple(doubled),
        num_renamed=num_renamed,
    )


def images_alone(images: Path) -> Pairing:
    """List the images of a folder without masks; images with the same name are ``doubled``."""
    image_files = _by(list_images(images), case_id)
    return Pairing(
        pairs=tuple(Pair(id=c, image=p[0], mask=None) for c, p in sorted(image_files.items()) if len(p) == 1),
        images_without_mask=(),
        masks_without_image=(),
        doubled=tuple(path for paths in image_files.values() if len(paths) > 1 for path in paths),
        num_renamed=0,
    )


def case_id(path: Path) -> str:
    """Return an image's case: its file name without suffix and without nnU-Net's channel number _0000."""
    return _CHANNEL_ENDING.sub("", stem_of(path))


def _mask_id(path: Path) -> str:
    return _CHANNEL_ENDING.sub("", _MASK_ENDING.sub("", stem_of(path)))


def _by(paths: Iterable[Path], name: Callable[[Path], str]) -> dict[str, list[Path]]:
    found = defaultdict(list)
    for path in paths:
        found[name(path)].append(path)
    return dict(found)
