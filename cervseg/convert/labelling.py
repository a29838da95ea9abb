"""The meaning of mask values: 0 and 255, soft edges, JPEG noise, or several values with names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cervseg.convert.pixels import check_same_size
from cervseg.core.errors import DatasetError
from cervseg.core.types import RawImage
from cervseg.dataset.labels import check_labels, number_labels
from cervseg.imageio import read_mask

BACKGROUND = "background"


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """The meaning of the values in masks.

    Args:
        names: value in the mask -> label name, for masks with several values; several values may share a
            name, and "background" is one. Empty for masks with one label.
        label: the label's name if ``names`` is empty.
        auxiliary: names of labels that help to train and are neither shown nor scored.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    label: str = "foreground"
    auxiliary: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(not 0 <= value <= 65535 for value in self.names):
            raise DatasetError("values must be in [0, 65535]", where="--labels")
        if self.names.get(0, BACKGROUND) != BACKGROUND:
            raise DatasetError(f"0 is the background, not {self.names[0]!r}", where="--labels")
        check_labels(self.labels, where="--labels", auxiliary=self.auxiliary)

    @property
    def labels(self) -> dict[str, int]:
        """Label name -> number in the dataset: background 0, then by value, the auxiliary ones last."""
        ordered = [name for _, name in sorted(self.names.items())] if self.names else [self.label]
        foreground = [name for name in ordered if name != BACKGROUND]
        return {BACKGROUND: 0, **number_labels(foreground, auxiliary=self.auxiliary)}

    def read(self, path: Path, *, image: RawImage) -> tuple[np.ndarray, bool]:
        """Read a mask file and convert its values to label numbers.

        Args:
            path: the mask.
            image: the image that it belongs to.

        Returns:
            As of :meth:`apply`.

        Raises:
            ImageError: the file cannot be read.
            DatasetError: image and mask differ in size, or the mask has unknown values.
        """
        stored = read_mask(path)
        check_same_size(image, stored, name=f"its mask {path.name}")
        try:
            return self.apply(stored)
        except DatasetError as problem:
            raise DatasetError(problem.what, where=path, hint=problem.hint) from None

    def apply(self, mask: np.ndarray) -> tuple[np.ndarray, bool]:
        """Convert a mask's values to label numbers.

        Args:
            mask: H x W uint8 or uint16, as stored.

        Returns:
            H x W uint8 label numbers, and whether the mask was thresholded at half (soft edges, JPEG noise).

        Raises:
            DatasetError: the mask has unknown values; the error has no ``where``.
        """
        return (self._mapped(mask), False) if self.names else _binary(mask)

    def _mapped(self, mask: np.ndarray) -> np.ndarray:
        counts = np.bincount(mask.ravel())
        unknown = [int(value) for value in np.flatnonzero(counts) if value and value not in self.names]
        if unknown:
            hint = f"Add name={unknown[0]} to --labels, or background={unknown[0]} to ignore it"
            raise DatasetError(f"the mask has {_shown(unknown)}, not in --labels", hint=hint)
        table = np.zeros(len(counts), np.uint8)
        for value, name in self.names.items():
            if value < len(table):
                table[value] = self.labels[name]
        return np.asarray(table[mask])


def _binary(mask: np.ndarray) -> tuple[np.ndarray, bool]:
    """Convert a mask with one label: values {0, 1}, {0, a high value}, or a continuum between two peaks."""
    counts = np.bincount(mask.ravel())
    values = [int(value) for value in np.flatnonzero(counts) if value]
    if not values:
        return np.zeros(mask.shape, np.uint8), False
    if len(values) == 1 and (values[0] == 1 or values[0] >= 128):
        return (mask > 0).astype(np.uint8), False
    full = 255 if values[-1] <= 255 else 65535
    high, middle = counts[full * 3 // 4 :].sum(), counts[full // 4 : full * 3 // 4].sum()
    # Soft edges and JPEG noise give many values with few pixels in the middle; labels give few values.
    is_soft = values[-1] > full / 2 and (middle <= high / 2 or len(values) > 16)
    if not is_soft:
        hint = f"If they are labels, name them: --labels {' '.join(f'name={value}' for value in values[:3])}"
        raise DatasetError(f"the mask has {_shown(values)}, but --label expects one label", hint=hint)
    return (mask > full / 2).astype(np.uint8), True


def _shown(values: list[int]) -> str:
    text = ", ".join(map(str, values[:8])) + (", ..." if len(values) > 8 else "")
    return f"the value {text}" if len(values) == 1 else f"the values {text}"
