"""Label sets of phantom datasets: which bones are labels, and which value wins where they overlap."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cervseg.phantom.anatomy import LEVELS
from cervseg.phantom.masks import ANATOMY
from cervseg.phantom.radiograph import PhantomImage

LabelSet = Literal["process", "levels", "anatomy"]


def label_values(labels: LabelSet) -> dict[str, int]:
    """Return the names and values of a label set, background first.

    Args:
        labels: "process" (one label for C1 to C7), "levels" (a label per level) or "anatomy" (the levels and
            the bones around them).

    Example:
        >>> label_values("process")
        {'background': 0, 'spinous_process': 1}
        >>> label_values("levels")["C7"], label_values("anatomy")["jaw"]
        (7, 12)
    """
    names = {"process": ("spinous_process",), "levels": LEVELS, "anatomy": (*LEVELS, *ANATOMY)}[labels]
    return {"background": 0, **{name: value for value, name in enumerate(names, start=1)}}


def label_mask(image: PhantomImage, labels: LabelSet) -> np.ndarray:
    """Combine the masks of a phantom into one label map.

    Args:
        image: the phantom; "anatomy" needs its ``anatomy_masks``.
        labels: label set, see :func:`label_values`.

    Returns:
        H x W uint8, the values of :func:`label_values`. Where labels overlap, the one with the smaller value
        wins: processes before other bones, the upper level before the lower.
    """
    if labels == "process":
        return image.mask
    mask = np.zeros_like(image.mask)
    masks = image.level_masks | image.anatomy_masks
    for name, value in reversed(label_values(labels).items()):
        if value:
            mask[masks[name] > 0] = value
    return mask
