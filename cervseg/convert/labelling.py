"""Foreign mask values into label numbers: 0 and 255, soft edges, JPEG noise, or several values by a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.dataset.labels import check_labels

BACKGROUND = "background"


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """How masks are to be read.

    Args:
        names: value in the mask -> label name, for masks of several values; several values may share a name,
            and "background" is one. Empty for masks that hold one label.
        label: the one label's name where ``names`` is empty.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    label: str = "foreground"

    def __post_init__(self) -> None:
        if any(not 0 <= value <= 65535 for value in self.names):
            raise DatasetError("values must be 0 to 65535", where="labels", hint="Write 1=incisor 2=canine.")
        if self.names.get(0, BACKGROUND) != BACKGROUND:
            raise DatasetError(f"0 is the background, not {self.names[0]!r}", where="labels")
        check_labels(self.labels, where="labels")

    @property
    def labels(self) -> dict[str, int]:
        """Label name -> number in the dataset: background 0, then as the masks' values ascend."""
        ordered = [name for _, name in sorted(self.names.items())] if self.names else [self.label]
        foreground = dict.fromkeys(name for name in ordered if name != BACKGROUND)
        return {BACKGROUND: 0, **{name: number for number, name in enumerate(foreground, start=1)}}

    def apply(self, mask: np.ndarray) -> tuple[np.ndarray, bool]:
        """Turn a mask's values into label numbers.

        Args:
            mask: H x W uint8 or uint16 as its file holds it.

        Returns:
            H x W uint8 label numbers, and whether a threshold at half was needed (soft edges, JPEG noise).

        Raises:
            DatasetError: values that this labelling does not know; without ``where``.
        """
        return (self._mapped(mask), False) if self.names else _binary(mask)

    def _mapped(self, mask: np.ndarray) -> np.ndarray:
        counts = np.bincount(mask.ravel())
        unknown = [int(value) for value in np.flatnonzero(counts) if value and value not in self.names]
        if unknown:
            hint = f"Name them too (--labels {unknown[0]}=name) or drop them ({unknown[0]}=background)."
            raise DatasetError(f"the mask holds {_shown(unknown)}, not in --labels", hint=hint)
        table = np.zeros(len(counts), np.uint8)
        for value, name in self.names.items():
            if value < len(table):
                table[value] = self.labels[name]
        return np.asarray(table[mask])


def _binary(mask: np.ndarray) -> tuple[np.ndarray, bool]:
    """One label: values {0, 1}, {0, a high value}, or a continuum with two ends."""
    counts = np.bincount(mask.ravel())
    values = [int(value) for value in np.flatnonzero(counts) if value]
    if not values:
        return np.zeros(mask.shape, np.uint8), False
    if len(values) == 1 and (values[0] == 1 or values[0] >= 128):
        return (mask > 0).astype(np.uint8), False
    full = 255 if values[-1] <= 255 else 65535
    high, middle = counts[full * 3 // 4 :].sum(), counts[full // 4 : full * 3 // 4].sum()
    # Soft edges and JPEG noise make many values, and few pixels lie in the middle; labels make few values.
    is_soft = values[-1] > full / 2 and (middle <= high / 2 or len(values) > 16)
    if not is_soft:
        hint = f"If they are labels, name them: --labels {' '.join(f'{value}=name' for value in values[:3])}."
        raise DatasetError(f"the mask holds {_shown(values)}, but one label is wanted", hint=hint)
    return (mask > full / 2).astype(np.uint8), True


def _shown(values: list[int]) -> str:
    text = ", ".join(map(str, values[:8])) + (", ..." if len(values) > 8 else "")
    return f"the value {text}" if len(values) == 1 else f"the values {text}"
