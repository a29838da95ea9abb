"""A dataset of phantoms in nnU-Net's raw format, with landmarks and level masks."""

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
from cervseg.phantom.labels import LabelSet, label_mask, label_values
from cervseg.phantom.masks import ANATOMY
from cervseg.phantom.mesh_set import MeshSet, read_meshes
from cervseg.phantom.radiograph import Domain, PhantomImage, make_phantom


@dataclass(frozen=True, kw_only=True)
class _Series:
    """Settings shared by all images of a dataset; picklable for the worker processes."""

    writer: DatasetWriter
    seed: int
    num_train: int
    long_side_px: int | None
    labels: LabelSet
    domain: Domain
    meshes: Path | None


def write_phantom_dataset(
    *,
    folder: Path,
    name: str,
    num_train: int,
    num_test: int,
    seed: int,
    workers: int,
    long_side_px: int | None = None,
    labels: LabelSet = "process",
    domain: Domain = "standard",
    meshes: Path | None = None,
    progress: bool = True,
) -> None:
    """Write a dataset of synthetic radiographs with masks.

    Training images are written to imagesTr and labelsTr, test images to imagesTs and labelsTs. Two more files
    per case: ``phantoms/<case>.json`` (landmarks in px, mm_per_pixel, attributes) and
    ``phantoms/<case>_levels.png``, H x W uint8, see :func:`level_bits`.

    Args:
        folder: the dataset's folder, ``.../Dataset001_Name``; dataset.json is written last.
        name: label of the progress bar.
        num_train: number of training images.
        num_test: number of test images; their indices follow those of the training images.
        seed: seed; image i depends on the seed and i only, not on the number of images or workers.
        workers: number of processes; with fewer than 2, no process is started.
        long_side_px: height of every image in px; None draws it from 480 to 2500 px.
        labels: label set of the masks, see :func:`~cervseg.phantom.labels.label_values`.
        domain: "standard" or "wide", see :func:`~cervseg.phantom.radiograph.make_phantom`.
        meshes: folder of bones as closed surfaces for every second image, see
            :func:`~cervseg.phantom.mesh_set.read_meshes`; None for none.
        progress: show a progress bar.

    Raises:
        DatasetError: ``long_side_px`` is less than 64, or ``meshes`` cannot be read.
        OSError: a file cannot be written.
    """
    if meshes is not None:
        _read_meshes(meshes)
    series = _Series(
        writer=DatasetWriter(folder=folder),
        seed=seed,
        num_train=num_train,
        long_side_px=long_side_px,
        labels=labels,
        domain=domain,
        meshes=meshes,
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
        channel_names=("xray",),
        labels=label_values(labels),
        spacing_mm=spacing_mm,
        auxiliary=ANATOMY if labels == "anatomy" else (),
        synthetic=True,
        levels_of="" if labels == "process" else "spinous_process",
    )


def case_id(index: int) -> str:
    """Return the case id of image ``index``, ``phantom_0001`` for image 0."""
    return f"phantom_{index + 1:04d}"


def level_bits(level_masks: dict[str, np.ndarray]) -> np.ndarray:
    """Pack the level masks into one bit field, so that overlaps are kept.

    Args:
        level_masks: "C1".."C7" -> H x W uint8 {0, 1}.

    Returns:
        H x W uint8; bit k is set inside the mask of level C(1 + k).
    """
    shifted = [level_masks[level] << bit for bit, level in enumerate(LEVELS)]
    bits: np.ndarray = np.bitwise_or.reduce(shifted)
    return bits


@functools.cache
def _read_meshes(folder: Path) -> MeshSet:
    """Read a folder once per process."""
    return read_meshes(folder)


def _write_image(series: _Series, index: int) -> float:
    """Generate and write image ``index``; return its mm_per_pixel."""
    image = make_phantom(
        seed=series.seed,
        index=index,
        long_side_px=series.long_side_px,
        domain=series.domain,
        with_anatomy=series.labels == "anatomy",
        meshes=_read_meshes(series.meshes) if series.meshes else None,
    )
    case, folder = case_id(index), series.writer.folder / "phantoms"
    _write_truth(image, folder=folder, case=case)
    mask = label_mask(image, series.labels)
    series.writer.add_case(case, channels=[image.pixels], mask=mask, test=index >= series.num_train)
    return image.mm_per_pixel


def _write_truth(image: PhantomImage, *, folder: Path, case: str) -> None:
    """Write the JSON file and the level masks of a case."""
    truth = {"mm_per_pixel": image.mm_per_pixel, "landmarks": image.landmarks, "attributes": image.attributes}
    write_json(folder / f"{case}.json", truth)
    _, encoded = cv2.imencode(".png", level_bits(image.level_masks))
    with atomic_path(folder / f"{case}_levels.png") as temporary:
        temporary.write_bytes(encoded.tobytes())
