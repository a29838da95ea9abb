"""Small phantoms for checks of trainers and networks that take seconds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from cervseg.core.types import Configuration, DatasetDescription
from cervseg.dataset.writer import DatasetWriter
from cervseg.phantom.radiograph import PhantomImage, make_phantom
from cervseg.preprocessing.centroids import find_components
from cervseg.preprocessing.prepare import label_coverage, make_frame, normalize, warp_image, warp_target
from cervseg.training.data import Batch

IMAGE_PX = 157  # height of an image: odd, and not a multiple of any stride or patch size
LABELS = {
    1: {"background": 0, "spinous_process": 1},
    2: {"background": 0, "upper_processes": 1, "lower_processes": 2},
}
LOWER = ("C5", "C6", "C7")


def tiny_dataset(folder: Path, *, num: int = 10, labels: int = 1, height_px: int = IMAGE_PX) -> Path:
    """Write a dataset of small phantoms, to test a plug-in from the command line.

    Args:
        folder: the dataset's folder, ``.../raw_data/Dataset001_Tiny``.
        num: number of images.
        labels: number of labels: 1 (spinous processes) or 2 (C2 to C4, and C5 to C7).
        height_px: height of every image, at least 32; widths differ.

    Returns:
        ``folder``.

    Raises:
        DatasetError: the images are too small, or the folder's name is not that of a dataset.
    """
    writer = DatasetWriter(folder=folder)
    for index in range(num):
        pixels, mask = small_image(index, num_labels=labels, height_px=height_px)
        writer.add_case(f"tiny_{index:03d}", channels=[pixels], mask=mask)
    writer.finish(channel_names=["xray"], labels=LABELS[labels])
    return folder


def small_image(
    index: int, *, num_labels: int = 1, height_px: int = IMAGE_PX
) -> tuple[np.ndarray, np.ndarray]:
    """Crop a phantom around its spinous processes.

    Args:
        index: index of the phantom.
        num_labels: 1 or 2, see :func:`tiny_dataset`.
        height_px: height of the crop.

    Returns:
        Pixels and mask, both H x W uint8.
    """
    image = _phantom(index, 2 * height_px)
    mask = image.mask.copy()
    if num_labels == 2:
        for level in LOWER:
            mask[image.level_masks[level] > 0] = 2
    # Crop around the processes, so that they are large enough in a small frame.
    height, width = height_px, mask.shape[1] // 2
    row, column = (int(places.mean()) for places in np.nonzero(mask))
    top, left = (max(0, row - height // 2), max(0, column - width // 2))
    part = np.s_[top : top + height, left : left + width]
    return image.pixels[part].copy(), mask[part]


@lru_cache(maxsize=32)
def _phantom(index: int, long_side_px: int) -> PhantomImage:
    """Draw a phantom once: tests ask for the same ones hundreds of times."""
    return make_phantom(seed=0, index=index, long_side_px=long_side_px)


def points_in(mask: np.ndarray) -> np.ndarray:
    """Find a point in every component of a mask: N x 3 float64 (x, y, label value)."""
    rows = [np.zeros((0, 3))]
    for value in range(1, int(mask.max()) + 1):
        rows.append(np.insert(find_components(mask == value)[1], 2, value, axis=1))
    return np.concatenate(rows)


def two_images(description: DatasetDescription, configuration: Configuration) -> Batch:
    """Prepare a batch of two phantoms in the frame of ``configuration``, without augmentation."""
    labels, images, targets = description.trained, [], []
    for index in range(2):
        pixels, mask = small_image(index, num_labels=len(labels))
        frame = make_frame(
            pixels[None],
            configuration=configuration,
            image_size=(pixels.shape[0], pixels.shape[1]),
            coverage=label_coverage(mask, labels=labels, size=mask.shape),
        )
        images.append(normalize(warp_image(frame), frame.normalization))
        targets.append(warp_target(frame))
    return Batch(image_BCHW=_stacked(images), target_BLHW=_stacked(targets), cases=("image_0", "image_1"))


def _stacked(planes: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(planes))
