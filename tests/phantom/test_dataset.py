from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from cervseg.phantom.anatomy import LEVELS
from cervseg.phantom.dataset import level_bits, write_phantom_dataset
from cervseg.phantom.labels import label_values
from cervseg.phantom.radiograph import make_phantom


def _write(folder: Path, *, workers: int) -> None:
    write_phantom_dataset(
        folder=folder,
        name="Phantom",
        num_train=3,
        num_test=1,
        seed=5,
        workers=workers,
        long_side_px=160,
        progress=False,
    )


def test_raw_format_and_truth(tmp_path: Path) -> None:
    """Images, masks and dataset.json are in nnU-Net's format; the folder phantoms has the exact truth."""
    folder = tmp_path / "Dataset001_Phantom"
    _write(folder, workers=1)
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*.*")}
    assert {f"imagesTr/phantom_000{n}_0000.png" for n in (1, 2, 3)} <= names
    assert {"imagesTs/phantom_0004_0000.png", "labelsTs/phantom_0004.png", "dataset.json"} <= names
    image = make_phantom(seed=5, index=3, long_side_px=160)
    truth = json.loads((folder / "phantoms/phantom_0004.json").read_text(encoding="utf-8"))
    assert truth["mm_per_pixel"] == image.mm_per_pixel
    assert {name: tuple(point) for name, point in truth["landmarks"].items()} == image.landmarks
    assert truth["attributes"] == image.attributes
    pixels = cv2.imread(str(folder / "imagesTs/phantom_0004_0000.png"), cv2.IMREAD_UNCHANGED)
    mask = cv2.imread(str(folder / "labelsTs/phantom_0004.png"), cv2.IMREAD_UNCHANGED)
    levels = np.array(cv2.imread(str(folder / "phantoms/phantom_0004_levels.png"), -1), dtype=np.uint8)
    np.testing.assert_array_equal(pixels, image.pixels)
    np.testing.assert_array_equal(mask, image.mask)
    for bit, level in enumerate(LEVELS):
        np.testing.assert_array_equal((levels >> bit) & 1, image.level_masks[level])
    described = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    assert described["numTraining"] == 3
    assert described["synthetic"] is True
    assert described["labels"] == {"background": 0, "spinous_process": 1}
    assert described["spacing_mm"]["phantom_0004"] == [image.mm_per_pixel] * 2


def test_labels_of_levels_and_anatomy(tmp_path: Path) -> None:
    """dataset.json and the masks have the labels of the label set."""
    for labels, highest in (("levels", 7), ("anatomy", 12)):
        folder = tmp_path / f"Dataset001_{labels}"
        write_phantom_dataset(
            folder=folder,
            name="Phantom",
            num_train=1,
            num_test=0,
            seed=5,
            workers=1,
            long_side_px=160,
            labels=labels,
            progress=False,
        )
        described = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        assert described["labels"] == label_values(labels)
        helping = ["thoracic", "vertebral_body", "arch", "skull", "jaw"]
        assert described.get("auxiliary", []) == (helping if labels == "anatomy" else [])
        mask = cv2.imread(str(folder / "labelsTr/phantom_0001.png"), cv2.IMREAD_UNCHANGED)
        assert mask is not None
        assert set(np.unique(mask)) == set(range(highest + 1))


def test_number_of_workers_has_no_effect(tmp_path: Path) -> None:
    """Two workers write the same bytes as one."""
    _write(tmp_path / "one" / "Dataset001_Phantom", workers=1)
    _write(tmp_path / "two" / "Dataset001_Phantom", workers=2)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*") if p.is_file())
    assert len(files) == 4 * 4 + 1
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path


def test_level_bits_keep_overlaps() -> None:
    """A pixel of C3 and C4 has both bits set."""
    masks = {level: np.zeros((2, 2), dtype=np.uint8) for level in LEVELS}
    masks["C3"][0, 0] = masks["C4"][0, 0] = masks["C7"][1, 1] = 1
    np.testing.assert_array_equal(level_bits(masks), [[0b1100, 0], [0, 0b1000000]])
