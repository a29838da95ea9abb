from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import read_dataclass, write_json
from cervseg.core.types import Case, Fingerprint
from cervseg.planning.fingerprint import compute_fingerprint, measure_labels
from cervseg.planning.histogram import Histogram

LABELS = {"process": 1, "body": 2}


def store(folder: Path, name: str, pixels: np.ndarray, mask: np.ndarray | None) -> Case:
    """Write an image and its mask as PNG."""
    image = folder / f"{name}_0000.png"
    cv2.imwrite(str(image), pixels)
    target = folder / f"{name}.png" if mask is not None else None
    if target is not None and mask is not None:
        cv2.imwrite(str(target), mask)
    return Case(id=name, images=(image,), mask=target, group=name)


def random_mask(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A mask of discs of both labels, some touching, some cut by the edge."""
    mask = np.zeros(shape, np.uint8)
    for _ in range(8):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        cv2.circle(mask, centre, int(rng.integers(1, 9)), int(rng.integers(1, 3)), -1)
    return mask


def brute_components(binary: np.ndarray) -> list[list[tuple[int, int]]]:
    """Connected components (8 neighbours) by flood fill, each a list of (row, column)."""
    todo, found = {(int(r), int(c)) for r, c in np.argwhere(binary)}, []
    while todo:
        part, front = [], [todo.pop()]
        while front:
            row, column = front.pop()
            part.append((row, column))
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & todo
            todo -= near
            front += near
        found.append(part)
    return found


def brute_thickness(part: list[tuple[int, int]]) -> float:
    """Twice the greatest distance of a pixel of ``part`` to the nearest pixel that is not in it."""
    inside = set(part)
    ring = {(r + i, c + j) for r, c in part for i in (-1, 0, 1) for j in (-1, 0, 1)} - inside
    edge = np.array(sorted(ring), float)
    return max(2 * float(np.hypot(*(edge - pixel).T).min()) for pixel in np.array(part, float))


def test_every_number_against_brute_force(tmp_path: Path) -> None:
    """Sizes, intensities, shares, components and thickness of small PNGs equal a plain recount."""
    rng = np.random.default_rng(3)
    sizes = [(40, 30), (50, 60), (33, 47)]
    images = [rng.integers(0, 256, size).astype(np.uint8) for size in sizes]
    masks = [random_mask(rng, size) for size in sizes]
    cases = [store(tmp_path, f"case{i}", f, m) for i, (f, m) in enumerate(zip(images, masks, strict=True))]
    found = compute_fingerprint(cases, labels=LABELS, workers=1, progress=False)

    every = np.concatenate([image.ravel() for image in images])
    assert (found.num_cases, found.num_channels, found.bit_depth) == (3, 1, 8)
    assert (found.height_px.median, found.width_px.maximum) == (40, 60)
    assert found.aspect.mean == pytest.approx(np.mean([h / w for h, w in sizes]))
    assert found.intensity.mean == pytest.approx(every.mean())
    assert found.intensity_percentile_99_5 == np.percentile(every, 99.5, method="inverted_cdf")
    for name, value in LABELS.items():
        parts = [brute_components(mask == value) for mask in masks]
        label = found.labels[name]
        areas = sorted(len(part) for image in parts for part in image)
        where = [np.nonzero(mask == value) for mask in masks if (mask == value).any()]
        shapes = [size for mask, size in zip(masks, sizes, strict=True) if (mask == value).any()]
        assert label.extent == (
            min(rows.min() / size[0] for (rows, _), size in zip(where, shapes, strict=True)),
            min(columns.min() / size[1] for (_, columns), size in zip(where, shapes, strict=True)),
            max((rows.max() + 1) / size[0] for (rows, _), size in zip(where, shapes, strict=True)),
            max((columns.max() + 1) / size[1] for (_, columns), size in zip(where, shapes, strict=True)),
        )
        assert label.num_cases == sum(bool(image) for image in parts)
        assert label.num_components.mean == pytest.approx(np.mean([len(image) for image in parts if image]))
        assert label.component_area_px.median == np.median(areas)
        shares = [(mask == value).mean() for mask in masks if (mask == value).any()]
        assert label.area_fraction.mean == pytest.approx(np.mean(shares))
        thickness = [brute_thickness(part) for image in parts for part in image]
        assert label.thickness_px.mean == pytest.approx(np.mean(thickness), rel=1e-5)
        assert label.thickness_px.maximum == pytest.approx(max(thickness), rel=1e-5)


def test_thickness_by_hand() -> None:
    """A bar 6 px wide is 6 px thick, also at the image's edge; diagonal neighbours are one part."""
    mask = np.zeros((20, 40), np.uint8)
    mask[0:6, 5:35] = 1
    mask[10, 10] = mask[11, 11] = 2
    found = measure_labels(mask, labels=LABELS)
    assert found["process"].thickness_px.tolist() == pytest.approx([6.0])
    assert found["body"].component_area_px.tolist() == [2]


def test_mirror_overlap_by_hand(tmp_path: Path) -> None:
    """On one side 0, on both 1, a third of it mirrored 2/3; images that face both ways together 1."""
    image, left = np.full((64, 80), 9, np.uint8), np.zeros((64, 80), np.uint8)
    left[16:32, 10:20] = 1
    both = left | left[:, ::-1]
    third = both.copy()
    third[32:40, 10:20] = third[48:56, 10:20] = 1

    measured = measure_labels(left, labels=LABELS)
    assert measured["process"].extent == (0.25, 0.125, 0.5, 0.25)
    assert measured["body"].extent is None

    def overlap(*masks: np.ndarray) -> float:
        cases = [store(tmp_path, f"m{index}", image, mask) for index, mask in enumerate(masks)]
        found = compute_fingerprint(cases, labels={"process": 1}, workers=1, progress=False)
        return found.labels["process"].mirror_overlap

    assert overlap(left) == 0
    assert overlap(both) == pytest.approx(1)
    assert overlap(third) == pytest.approx(2 / 3)
    assert overlap(left, left[:, ::-1]) == pytest.approx(1)
    assert overlap(np.zeros_like(left)) == 0


def test_processes_and_one_process_agree(tmp_path: Path) -> None:
    """The number of workers does not change a number, and a fingerprint survives JSON."""
    rng = np.random.default_rng(4)
    images = [rng.integers(0, 4096, (30, 20 + i)).astype(np.uint16) for i in range(6)]
    cases = [store(tmp_path, f"c{i}", image, random_mask(rng, image.shape)) for i, image in enumerate(images)]
    one = compute_fingerprint(cases, labels=LABELS, workers=1, progress=False)
    two = compute_fingerprint(cases, labels=LABELS, workers=2, progress=False)
    assert one == two
    assert one.bit_depth == 12
    write_json(tmp_path / "dataset_fingerprint.json", one)
    assert read_dataclass(Fingerprint, tmp_path / "dataset_fingerprint.json") == one


def test_empty_and_missing_masks(tmp_path: Path) -> None:
    """Empty masks are counted, cases without a mask measured; a label that nobody shows is zero."""
    image, mask = np.full((20, 30), 9, np.uint8), np.zeros((20, 30), np.uint8)
    mask[5:9, 5:9] = 1
    cases = [
        store(tmp_path, "drawn", image, mask),
        store(tmp_path, "empty", image, np.zeros_like(mask)),
        store(tmp_path, "unlabelled", image, None),
    ]
    found = compute_fingerprint(cases, labels=LABELS, workers=1, progress=False)
    assert (found.num_cases, found.num_empty_masks) == (3, 1)
    assert found.labels["process"].num_cases == 1
    assert found.labels["process"].component_area_px.mean == 16
    assert found.labels["body"].num_cases == 0
    assert found.labels["body"].thickness_px.maximum == 0


def test_spacing_comes_from_the_description(tmp_path: Path) -> None:
    """The (row) spacing that the description names is used; cases without any are not invented."""
    image = np.full((20, 30), 9, np.uint8)
    cases = [store(tmp_path, name, image, None) for name in ("a", "b", "c")]
    known = {"a": (0.1, 0.2), "b": (0.3, 0.2)}
    found = compute_fingerprint(cases, labels={}, workers=1, spacing_mm=known, progress=False)
    assert found.num_with_spacing == 2
    assert found.spacing_mm is not None
    assert found.spacing_mm.mean == pytest.approx(0.2)
    assert compute_fingerprint(cases, labels={}, workers=1, progress=False).spacing_mm is None


def test_every_bad_case_is_named(tmp_path: Path) -> None:
    """A broken file and a mask of another size are both named in one error; good cases are not."""
    image = np.full((20, 30), 9, np.uint8)
    cases = [
        store(tmp_path, "good", image, np.zeros_like(image)),
        store(tmp_path, "torn", image, None),
        store(tmp_path, "misfit", image, np.zeros((20, 31), np.uint8)),
    ]
    cases[1].images[0].write_bytes(cases[1].images[0].read_bytes()[:40])
    with pytest.raises(DatasetError) as caught:
        compute_fingerprint(cases, labels=LABELS, workers=2, progress=False)
    text = str(caught.value)
    assert "2 of 3 cases" in text
    assert "torn" in text
    assert "misfit" in text
    assert "31 x 20" in text
    assert "good" not in text


def test_no_cases_are_an_error() -> None:
    """An empty dataset has no fingerprint."""
    with pytest.raises(DatasetError, match="no training cases"):
        compute_fingerprint([], labels=LABELS, workers=1)


def test_measuring_is_fast() -> None:
    """An image of 1200 x 1000 with six processes takes far less than 33 ms beside its decoding."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 1200, 1000)).astype(np.uint8)
    mask = np.zeros((1200, 1000), np.uint8)
    for i in range(6):
        cv2.ellipse(mask, (600, 200 + 150 * i), (90, 30), 20, 0, 360, 1, -1)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        Histogram.of(image)
        measure_labels(mask, labels={"process": 1})
        times.append(time.perf_counter() - start)
    assert min(times) < 0.033


def test_auxiliary_labels_are_measured_and_marked(tmp_path: Path) -> None:
    """A mask with auxiliary labels alone counts as empty, because nothing in it is shown."""
    image, mask = np.full((20, 30), 9, np.uint8), np.zeros((20, 30), np.uint8)
    mask[5:9, 5:9] = LABELS["body"]
    cases = [store(tmp_path, "a", image, mask)]
    found = compute_fingerprint(cases, labels=LABELS, auxiliary=["body"], workers=1, progress=False)
    assert found.num_empty_masks == 1
    assert [found.labels[name].is_auxiliary for name in ("process", "body")] == [False, True]
    assert found.labels["body"].component_area_px.mean == 16
    assert found.shown == []
