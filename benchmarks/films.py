"""The films of whole commands: phantoms of about 1200 x 1000 px, in folders that both systems read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np

from benchmarks.commands import Command, measured
from cervseg.dataset.writer import DatasetWriter
from cervseg.imageio import list_images, read_image, read_mask
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
    """Like :func:`dataset`, every film of one ``size`` (height, width) and without a pixel of 0.

    nnU-Net cuts black margins off and resamples by a fixed factor: on such films both systems see the same.
    """
    folder = WORK / "raw_data" / f"Dataset{number:03d}_{name}"
    if (folder / "dataset.json").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    writer = DatasetWriter(folder=folder, name=folder.name)
    for index in range(num + num_test):
        film = make_phantom(seed=11, index=index, long_side_px=max(size))
        pixels = np.maximum(cv2.resize(film.pixels, size[::-1], interpolation=cv2.INTER_AREA), 1)
        mask = cv2.resize(film.mask, size[::-1], interpolation=cv2.INTER_NEAREST)
        writer.add_case(f"film_{index:03d}", channels=[pixels], mask=mask, test=index >= num)
    writer.finish(channel_names=["xray"], labels={"background": 0, "spinous_process": 1})
    return folder


def crops(
    raw: Path, number: int, *, name: str, side_px: int, film_px: int, num_each: int, seed: int = 5
) -> Path:
    """A dataset of squares of ``side_px`` around labels, cut out of the training films of another dataset.

    The films are stretched to ``film_px`` x ``film_px`` first, as the preset "paper" shows them to a network:
    what learns from the squares sees structures as large as in whole films, at a fraction of the work.
    """
    folder = WORK / "raw_data" / f"Dataset{number:03d}_{name}"
    if (folder / "dataset.json").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    writer, rng = DatasetWriter(folder=folder, name=folder.name), np.random.default_rng(seed)
    for path in list_images(raw / "imagesTr"):
        case = path.stem.removesuffix("_0000")
        size = (film_px, film_px)
        pixels = cv2.resize(read_image(path).pixels[0], size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(read_mask(raw / "labelsTr" / f"{case}.png"), size, interpolation=cv2.INTER_NEAREST)
        marked = np.argwhere(mask)
        for index in range(num_each):
            # Nine of ten around a label, anywhere in the square; one anywhere in the film.
            is_near = len(marked) and rng.random() < 0.9
            centre = rng.choice(marked) if is_near else rng.integers(film_px, size=2)
            corner = centre - rng.integers(side_px, size=2)
            top, left = np.clip(corner, 0, film_px - side_px)
            cut = np.s_[top : top + side_px, left : left + side_px]
            writer.add_case(f"{case}_{index}", channels=[pixels[cut].copy()], mask=mask[cut].copy())
    writer.finish(channel_names=["xray"], labels={"background": 0, "spinous_process": 1})
    return folder
