"""COCO's run lengths, plain or packed into text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cervseg.core.errors import DatasetError


def decode(counts: str | Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Decode a mask: lengths of alternating runs of 0 and 1, down the columns, starting with 0.

    Args:
        counts: the lengths, or COCO's text for them.
        size: (height, width).

    Returns:
        H x W bool.

    Raises:
        DatasetError: the runs do not fill the mask exactly.
    """
    lengths = np.asarray(_unpacked(counts) if isinstance(counts, str) else counts)
    is_sound = lengths.ndim == 1 and lengths.dtype.kind in "iu" and bool((lengths >= 0).all())
    if not is_sound or int(lengths.sum()) != size[0] * size[1]:
        raise DatasetError(f"run lengths do not add up to {size[1]} x {size[0]} pixels")
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(size[::-1]).T


def _unpacked(text: str) -> list[int]:
    """Decode COCO's text: five bits per character, lowest first; bit 6: more follow; last bit 5: sign.

    From the fourth number on, each is the difference to the one two before.
    """
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value = shift = 0
    return lengths
