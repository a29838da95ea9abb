"""The images of whole commands: phantoms of about 1200 x 1000 px, in folders that both systems read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np

from benchmarks.commands import Command, measured
from cervseg.dataset.writer import DatasetWriter
from cervseg.phantom.radiograph import make_phantom

# Everything that benchmarks make lies here; delete it to begin anew.
WORK = Path(os.environ.get("CERVSEG_BENCH", "build/bench")).resolve()
LONG_SIDE_PX = 1200


def dataset(number: int, *, name: str, num: int, num_test: int = 0, seed: int = 7) -> Path:
    """The raw folder of a dataset of phantoms, made if it is not there."""
    folder = WORK / "raw_data" / f"Dataset{number:03d}_{name}"
    if not (folder / "dataset.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        given = [f"{number:03d}", "--name", name, "-n", str(num), "--num-test", str(num_test)]
        more = ["--long-side", str(LONG_SIDE_PX), "--seed", str(seed), "--root", str(WORK)]
        measured(Command(arguments=["cervseg_phantom", "-d", *given, *more]))
    return folder


def nnunet_environment() -> dict[str, str]:
    """nnU-Net's three folders; it reads our raw ones as they are."""
    folders = {"nnUNet_raw": "raw_data", "nnUNet_preprocessed": "nnunet/preprocessed"}
    folders["nnUNet_results"] = "nnunet/results"
    for folder in folders.values():
        (WORK / folder).mkdir(parents=True, exist_ok=True)
    return {name: str(WORK / folder) for name, folder in folders.items()}


def even_dataset(number: int, *, name: str, num: int, num_test: int, size: tuple[int, int]) -> Path:
    """Like :func:`dataset`, every image of one ``size`` (height, width) and without a pixel of 0.

    nnU-Net cuts black margins off and resamples by a fixed factor: on such images both systems see the same.
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
