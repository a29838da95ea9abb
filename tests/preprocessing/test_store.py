from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.core.types import Case
from cervseg.preprocessing.cache import fill_cache, shrink_mask
from cervseg.preprocessing.store import CaseStore
from tests.shapes import blob_image


def write_cases(folder: Path, num: int = 3) -> list[Case]:
    cases = []
    for index in range(num):
        pixels, mask = blob_image((80, 60), seed=index)
        image_file, mask_file = folder / f"c{index}_0000.png", folder / f"c{index}.png"
        cv2.imwrite(str(image_file), pixels)
        cv2.imwrite(str(mask_file), mask)
        cases.append(Case(id=f"c{index}", images=(image_file,), mask=mask_file, group=f"c{index}"))
    return cases


def fill(cases: list[Case], store: CaseStore) -> list[bool | None]:
    outcomes = fill_cache(
        cases,
        store=store,
        variant="original",
        labels={"disc": 1},
        cache_long_side_px=64,
        spacing_mm={"c0": (0.2, 0.2)},
        workers=1,
        progress=False,
    )
    return [outcome.result for outcome in outcomes]


def test_second_run_stores_changed_images_only(tmp_path: Path) -> None:
    """Unchanged cases are not written again; a changed image is."""
    cases, store = write_cases(tmp_path), CaseStore(folder=tmp_path / "store")
    assert fill(cases, store) == [True, True, True]
    assert fill(cases, store) == [False, False, False]
    cv2.imwrite(str(cases[1].images[0]), blob_image((90, 60), seed=9)[0])
    cv2.imwrite(str(cases[1].mask), blob_image((90, 60), seed=9)[1])
    assert fill(cases, store) == [False, True, False]


def test_stored_case_is_reduced_and_keeps_its_properties(tmp_path: Path) -> None:
    """Pixels have the size of the cache and the dtype of the image; the record has image size and spacing."""
    cases, store = write_cases(tmp_path), CaseStore(folder=tmp_path / "store")
    fill(cases, store)
    case = store.read("c0")
    assert (case.pixels.shape, case.pixels.dtype) == ((1, 64, 48), np.dtype(np.uint8))
    assert case.record.image_size == (80, 60)
    assert case.record.spacing_mm == (0.2, 0.2)
    assert case.record.spacing_source == "dataset.json"
    assert store.cases() == ["c0", "c1", "c2"]


def test_partial_cache_is_incomplete(tmp_path: Path) -> None:
    """With one invalid image, the others are stored, and the cache is incomplete."""
    cases, store = write_cases(tmp_path), CaseStore(folder=tmp_path / "store")
    cases[1].images[0].write_text("no image")
    assert fill(cases, store) == [True, None, True]
    with pytest.raises(DatasetError, match="preprocessing is incomplete"):
        store.cases()


def test_truncated_array_raises(tmp_path: Path) -> None:
    """The error has the path of the array."""
    cases, store = write_cases(tmp_path), CaseStore(folder=tmp_path / "store")
    fill(cases, store)
    (store.folder / "c0.npy").write_bytes((store.folder / "c0.npy").read_bytes()[:200])
    with pytest.raises(DatasetError, match=r"c0\.npy"):
        store.read("c0")


def test_shrink_mask_takes_the_majority() -> None:
    """Each block of 2 x 2 pixels gets its most frequent value, background included."""
    mask = np.array([[1, 1, 0, 0], [1, 2, 0, 2]], dtype=np.uint8)
    np.testing.assert_array_equal(shrink_mask(mask, labels={"a": 1, "b": 2}, size=(1, 2)), [[1, 0]])


def fill_augmented(cases: list[Case], store: CaseStore) -> list[bool | None]:
    outcomes = fill_cache(
        cases,
        store=store,
        variant="augmented",
        labels={"disc": 1},
        cache_long_side_px=64,
        spacing_mm={},
        workers=1,
        progress=False,
    )
    return [outcome.result for outcome in outcomes]


def test_copies_are_stored_with_their_sources(tmp_path: Path) -> None:
    """Every case has one copy of its group and size, listed separately; a lost copy is restored."""
    cases, store = write_cases(tmp_path), CaseStore(folder=tmp_path / "store")
    assert fill_augmented(cases, store) == [True, True, True]
    assert store.cases() == ["c0", "c1", "c2"]
    assert store.copies() == {f"c{k}__copy": f"c{k}" for k in range(3)}
    source, copy = store.read("c1"), store.read("c1__copy")
    assert copy.record.group == source.record.group == "c1"
    assert copy.pixels.shape == source.pixels.shape
    assert copy.mask is not None
    assert (copy.mask != source.mask).any()
    assert fill_augmented(cases, store) == [False, False, False]
    (store.folder / "c1__copy.json").unlink()
    assert fill_augmented(cases, store) == [False, True, False]


def test_case_named_like_a_copy_raises(tmp_path: Path) -> None:
    """A case and a copy of the same name would overwrite each other."""
    cases = write_cases(tmp_path, num=1)
    cases.append(Case(id="c0__copy", images=cases[0].images, mask=cases[0].mask, group="x"))
    with pytest.raises(DatasetError, match="c0__copy"):
        fill_augmented(cases, CaseStore(folder=tmp_path / "store"))
