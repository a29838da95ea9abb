"""A dataset of phantoms: images, masks and what is true about them, in nnU-Net's raw format."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cervseg.core.atomic import atomic_path
from cervseg.core.jsonio import write_json
from cervseg.core.types import SpacingMm
from cervseg.core.workers import map_cases
from cervseg.dataset.writer import DatasetWriter
from cervseg.phantom.anatomy import LEVELS
from cervseg.phantom.radiograph import PhantomImage, make_phantom


@dataclass(frozen=True, kw_only=True)
class _Series:
    """What all images of a dataset share; goes to the worker processes."""

    writer: DatasetWriter
    seed: int
    num_train: int
    long_side_px: int | None


def write_phantom_dataset(
    *,
    folder: Path,
    name: str,
    num_train: int,
    num_test: int,
    seed: int,
    workers: int,
    long_side_px: int | None = None,
    progress: bool = True,
) -> None:
    """Write ``num_train`` images with masks to imagesTr and labelsTr, ``num_test`` to imagesTs and labelsTs.

    Beside nnU-Net's files, for every case: ``phantoms/<case>.json`` (landmarks in px, mm_per_pixel,
    attributes) and ``phantoms/<case>_levels.png``, H x W uint8, whose bit k is set where the mask of level
    C(2 + k) is, so that overlapping processes stay exact (:func:`level_bits`).

    Args:
        folder: the dataset's folder, ``.../Dataset001_Name``; dataset.json is written last.
        name: of the dataset, for the progress bar.
        num_train: number of training images.
        num_test: number of test images; their numbers follow those of the training images.
        seed: image i of a seed is the same whatever the numbers and ``workers``.
        workers: number of processes; with fewer than 2, no process is started.
        long_side_px: height of every image; None varies it from 480 to 2500 px.
        progress: show a progress bar.

    Raises:
        DatasetError: ``long_side_px`` is too small; whatever writing a file may raise.
    """
    series = _Series(
        writer=DatasetWriter(folder=folder), seed=seed, num_train=num_train, long_side_px=long_side_px
    )
    outcomes = map_cases(
        functools.partial(_write_image, series),
        range(num_train + num_test),
        workers=workers,
        label=name,
        progress=progress,
    )
    spacing_mm: dict[str, SpacingMm] = {}
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
        assert outcome.result is not None
        spacing_mm[case_id(outcome.item)] = (outcome.result, outcome.result)
    series.writer.finish(
        channel_names=("xray",), labels={"background": 0, "spinous_process": 1}, spacing_mm=spacing_mm
    )


def case_id(index: int) -> str:
    """``phantom_0001`` for image 0."""
    return f"phantom_{index + 1:04d}"


def level_bits(level_masks: dict[str, np.ndarray]) -> np.ndarray:
    """All level masks in one H x W uint8 image: bit k is C(2 + k)."""
    shifted = [level_masks[level] << bit for bit, level in enumerate(LEVELS)]
    bits: np.ndarray = np.bitwise_or.reduce(shifted)
    return bits


def _write_image(series: _Series, index: int) -> float:
    """Make and write image ``index``; returns its mm_per_pixel."""
    image = make_phantom(seed=series.seed, index=index, long_side_px=series.long_side_px)
    case, folder = case_id(index), series.writer.folder / "phantoms"
    _write_truth(image, folder=folder, case=case)
    series.writer.add_case(case, channels=[image.pixels], mask=image.mask, test=index >= series.num_train)
    return image.mm_per_pixel


def _write_truth(image: PhantomImage, *, folder: Path, case: str) -> None:
    truth = {"mm_per_pixel": image.mm_per_pixel, "landmarks": image.landmarks, "attributes": image.attributes}
    write_json(folder / f"{case}.json", truth)
    _, encoded = cv2.imencode(".png", level_bits(image.level_masks))
    with atomic_path(folder / f"{case}_levels.png") as temporary:
        temporary.write_bytes(encoded.tobytes())
