"""Transforms of batchgenerators, as nnU-Net's trainers hold them, for trainers that bring their own.

They draw from the global generators of numpy and Python. So one image at a time is transformed, with both
generators seeded before and restored afterwards: an image depends on its seed only, whatever the threads do,
and nothing else sees other random numbers.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from cervseg.core.errors import CervsegError

if TYPE_CHECKING:  # importing it takes seconds
    from batchgenerators.transforms.abstract_transforms import AbstractTransform

_LOCK = threading.Lock()  # the global generators are shared by all threads


def apply_transforms(
    transforms: Sequence[AbstractTransform], image: np.ndarray, target: np.ndarray, *, seed: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Apply transforms to one image, in their order.

    A transform is called with ``data``, 1 x C x h x w float32, and ``seg``, 1 x L x h x w float32 of {0, 1},
    and returns both; ``seg`` may be renamed to ``target``, and arrays may become tensors, as at the end of
    nnU-Net's lists.

    Args:
        transforms: objects of batchgenerators, or like them.
        image: C x h x w float32, normalized; it stays as it is.
        target: L x h x w float32 of {0, 1}; it stays as it is.
        seed: numbers of 0 or more, of this image in this epoch.

    Returns:
        Image C x h x w and target L x h x w, float32; the target is 1 where it is above 0.5.

    Raises:
        CervsegError: the transforms change the size of the image or the target, or drop one of them.
    """
    data: Mapping[str, Any] = {"data": image[None].copy(), "seg": target[None].copy()}
    with _seeded(seed):
        for transform in transforms:
            data = transform(**data)
    changed = _array(data, "data", shape=image.shape, transforms=transforms)
    labels = _array(data, "target" if "target" in data else "seg", shape=target.shape, transforms=transforms)
    return changed, (labels > 0.5).astype(np.float32)


@contextmanager
def _seeded(seed: Sequence[int]) -> Iterator[None]:
    """Seed the global generators for this thread alone, and restore them."""
    words = np.random.SeedSequence(seed).generate_state(4)
    with _LOCK:
        of_numpy, of_python = np.random.get_state(), random.getstate()
        try:
            np.random.seed(words)
            random.seed(words.tobytes())
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)


def _array(
    data: Mapping[str, Any], key: str, *, shape: tuple[int, ...], transforms: Sequence[object]
) -> np.ndarray:
    """Return an entry without its first axis, float32."""
    names = ", ".join(type(transform).__name__ for transform in transforms)
    if key not in data:
        raise CervsegError(f"these transforms return no {key!r}", where=names, hint="Return data and seg")
    found = np.asarray(data[key], dtype=np.float32)
    if found.shape != (1, *shape):
        raise CervsegError(
            f"these transforms change {key!r} from {(1, *shape)} to {found.shape}",
            where=names,
            hint="The image must keep its size: use transforms that do not crop or resize",
        )
    return np.ascontiguousarray(found[0])
