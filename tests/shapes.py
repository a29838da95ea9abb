"""Small images that many tests draw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cervseg.dataset.writer import DatasetWriter


def blob_image(size: tuple[int, int], *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc on a noisy ground, H x W uint8, and its mask."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(size)
    radius = 0.2 * min(size)
    mask = ((rows - size[0] * 0.45) ** 2 + (columns - size[1] * 0.55) ** 2 < radius**2).astype(np.uint8)
    return (60 + 90 * mask + rng.integers(0, 40, size)).astype(np.uint8), mask


def disc_image(
    size: tuple[int, int], discs: Sequence[tuple[float, float, int]], *, radius: float = 9.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Bright discs (x, y, label value) on a noisy ground, H x W uint8, and their mask."""
    rows, columns = np.indices(size)
    mask = np.zeros(size, np.uint8)
    for x, y, value in discs:
        mask[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = value
    noise = np.random.default_rng(seed).integers(0, 40, size)
    return (60 + 90 * (mask > 0) + noise).astype(np.uint8), mask


def write_blob_dataset(root: Path, *, num: int, size: tuple[int, int] = (96, 80)) -> None:
    """Dataset001_Blobs in nnU-Net's raw format below ``root``: images of one disc each."""
    writer = DatasetWriter(folder=root / "raw_data" / "Dataset001_Blobs")
    for index in range(num):
        pixels, mask = blob_image(size, seed=index)
        writer.add_case(f"c{index:03d}", channels=[pixels], mask=mask)
    writer.finish(channel_names=["xray"], labels={"background": 0, "disc": 1})
