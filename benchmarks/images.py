"""Datasets of phantoms of about 1200 x 1000 px, in the raw format that cervseg and nnU-Net read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np

from benchmarks.commands import Command, measured
from cervseg.dataset.writer import DatasetWriter
from cervseg.phantom.radiograph import make_phantom

# Folder of all datasets, models and predictions of the benchmarks; delete it to start from scratch.
WORK = Path(os.environ.get("CERVSEG_BENCH", "build/bench")).resolve()
LONG_SIDE_PX = 1200


def dataset(number: int, *, name: str, num: int, num_test: int = 0, seed: int = 7) -> Path:
    """Create a dataset of phantoms unless it exists.

    Args:
        number: number of the dataset.
        name: name of the dataset.
        num: number of training images.
        num_test: number of test images.
        seed: seed of the phantoms.

    Returns:
        The raw folder of the dataset.
    """
    folder = WORK / "raw_data" / f"Dataset{number:03d}_{name}"
    if not (folder / "dataset.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        given = [f"{number:03d}", "--name", name, "-n", str(num), "--num-test", str(num_test)]
        more = ["--long-side", str(LONG_SIDE_PX), "--seed", str(seed), "--root", str(WORK)]
        measured(Command(arguments=["cervseg_phantom", "-d", *given, *more]))
    return folder


def nnunet_environment() -> dict[str, str]:
    """Create nnU-Net's three folders; return its environment variables. Raw data are shared with cervseg."""
    folders = {"nnUNet_raw": "raw_data", "nnUNet_preprocessed": "nnunet/preprocessed"}
    folders["nnUNet_results"] = "nnunet/results"
    for folder in folders.values():
        (WORK / folder).mkdir(parents=True, exist_ok=True)
    return {name: str(WORK / folder) for name, folder in folders.items()}


def even_dataset(number: int, *, name: str, num: int, num_test: int, size: tuple[int, int]) -> Path:
    """Create a dataset of phantoms of one size and without pixels of 0, unless it exists.

    nnU-Net crops black margins and resamples by a fixed factor; on these images both systems have the same
    input.

    Args:
        number: number of the dataset.
        name: name of the dataset.
        num: number of training images.
        num_test: number of test images.
        size: (height, width) of every image.

    Returns:
        The raw folder of the dataset.
    """
    folder = WORK / "raw_data" / f"Dataset{number:03d}_{name}"
    if (folder / "dataset.json").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    writer = DatasetWriter(folder=folder, name=folder.name)
    for index in range(num + num_test):
        image = make_phantom(seed=11, index=index, long_side_px=max(size))
        pixels = np.maximum(cv2.resize(image.pixels, size[::-1], interpolation=cv2.INTER_AREA), 1)
        mask = cv2.resize(image.mask, size[::-1], interpolation=cv2.INTER_NEAREST)
        writer.add_case(f"image_{index:03d}", channels=[pixels], mask=mask, test=index >= num)
    writer.finish(channel_names=["xray"], labels={"background": 0, "spinous_process": 1})
    return folder
