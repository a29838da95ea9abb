"""Preprocessing of all cases of a dataset, in several processes, resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cervseg.core.atomic import remove_leftovers
from cervseg.core.errors import DatasetError
from cervseg.core.types import Case, RawImage, SpacingMm
from cervseg.core.workers import Outcome, map_cases
from cervseg.preprocessing.copies import copy_id, rotated_copy
from cervseg.preprocessing.prepare import label_coverage, shrink
from cervseg.preprocessing.store import FORMAT, CaseRecord, CaseStore
from cervseg.preprocessing.variants import AUGMENTED, apply_variant

ReadImage = Callable[..., RawImage]


@dataclass(frozen=True, kw_only=True)
class StoreCase:
    """Preprocessing of one case, as a picklable callable.

    Args:
        store: the cache.
        variant: variant of the dataset.
        labels: foreground names -> values.
        cache_long_side_px: longest side of a cached image.
        spacing_mm: case id -> (row, column) in mm; it replaces the spacing in the image's file.
    """

    store: CaseStore
    variant: str
    labels: Mapping[str, int]
    cache_long_side_px: int
    spacing_mm: Mapping[str, SpacingMm]

    def __call__(self, case: Case) -> bool:
        """Store a case unless it is already stored; return True if it was written."""
        from cervseg.imageio import read_channels, read_mask

        source = self._source(case)
        ids = [copy_id(case.id), case.id] if self.variant == AUGMENTED else [case.id]
        if all(self.store.has(name, source=source) for name in ids):
            return False
        image = read_channels(case.images)
        pixels = image.pixels
        by_hand = self.spacing_mm.get(case.id)
        record = CaseRecord(
            format=FORMAT,
            id=case.id,
            group=case.group,
            image_size=(pixels.shape[1], pixels.shape[2]),
            spacing_mm=by_hand or image.spacing_mm,
            spacing_source="dataset.json" if by_hand else image.spacing_source,
            source=source,
        )
        pixels = apply_variant(pixels, self.variant)
        mask = None if case.mask is None else read_mask(case.mask)
        if self.variant == AUGMENTED:
            rotated = rotated_copy(pixels, mask, case=case.id)
            self._write(replace(record, id=copy_id(case.id)), *rotated)
        self._write(record, pixels, mask)
        return True

    def _write(self, record: CaseRecord, pixels: np.ndarray, mask: np.ndarray | None) -> None:
        pixels = shrink(pixels, long_side_px=self.cache_long_side_px)
        if mask is not None:
            mask = shrink_mask(mask, labels=self.labels, size=pixels.shape[1:])
        self.store.write(record, pixels=pixels, mask=mask)

    def _source(self, case: Case) -> str:
        files = [*case.images, *([case.mask] if case.mask else [])]
        stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        spacing = self.spacing_mm.get(case.id)
        settings = (sorted(self.labels.items()), self.variant, self.cache_long_side_px, spacing)
        return f"{FORMAT} {stats} {case.group} {settings}"


def shrink_mask(mask: np.ndarray, *, labels: Mapping[str, int], size: tuple[int, ...]) -> np.ndarray:
    """Downsample a label map: each pixel gets the label, or the background, that covers most of it.

    Args:
        mask: H x W label values.
        labels: foreground names -> values.
        size: (height, width) of the result.

    Returns:
        h x w uint8.
    """
    if mask.shape == tuple(size):
        return mask.astype(np.uint8)
    coverage = label_coverage(mask, labels=labels, size=(size[0], size[1])).astype(np.int32)
    background = 255 - coverage.sum(axis=0, keepdims=True)
    values = np.array([0, *sorted(labels.values())], dtype=np.uint8)
    shrunk: np.ndarray = values[np.concatenate([background, coverage]).argmax(axis=0)]
    return shrunk


def fill_cache(
    cases: Sequence[Case],
    *,
    store: CaseStore,
    variant: str,
    labels: Mapping[str, int],
    cache_long_side_px: int,
    spacing_mm: Mapping[str, SpacingMm],
    workers: int,
    progress: bool = True,
) -> list[Outcome[Case, bool]]:
    """Preprocess all cases; if one fails, its outcome has the error and the cache stays incomplete.

    Args:
        cases: the cases.
        store: the cache.
        variant: variant of the dataset.
        labels: foreground names -> values.
        cache_long_side_px: longest side of a cached image.
        spacing_mm: case id -> (row, column) in mm; it replaces the spacing in the image's file.
        workers: number of processes.
        progress: show a progress bar.

    Returns:
        One outcome per case; its result is True if the case was written.

    Raises:
        DatasetError: the name of an augmented copy is the name of another case.
    """
    copies = {copy_id(case.id): case.id for case in cases} if variant == AUGMENTED else {}
    if both := sorted(copies.keys() & {case.id for case in cases}):
        raise DatasetError(
            "the case name collides with an augmented copy", where=both[0], hint="rename the case"
        )
    store.folder.mkdir(parents=True, exist_ok=True)
    store.reopen()
    remove_leftovers(store.folder)
    work = StoreCase(
        store=store,
        variant=variant,
        labels=dict(labels),
        cache_long_side_px=cache_long_side_px,
        spacing_mm=dict(spacing_mm),
    )
    outcomes = map_cases(work, cases, workers=workers, label=f"preprocess {variant}", progress=progress)
    if all(outcome.error is None for outcome in outcomes):
        store.finish([case.id for case in cases], copies=copies)
    return outcomes
