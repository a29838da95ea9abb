"""The cache of a dataset variant: each image once, shrunk, lossless, shared by all trainers.

A case counts as stored when its ``case.json`` is there: it is written after the arrays. The folder counts
as complete when ``complete.json`` is there: it is written after the last case. A kill at any moment leaves a
folder that the next run goes on with and that training does not accept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import read_dataclass, write_json
from cervseg.core.paths import atomic_path
from cervseg.core.types import SpacingMm

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class CaseRecord:
    """case.json: what the arrays hold and what they were made from.

    ``source`` identifies the source files (names, sizes and modification times) and the settings; a case
    whose source has changed is stored anew.
    """

    format: int
    id: str
    group: str
    image_size: tuple[int, int]
    spacing_mm: SpacingMm | None
    spacing_source: str
    source: str


@dataclass(frozen=True, kw_only=True)
class StoredCase:
    """A case out of the cache: ``pixels`` C x h x w (uint8, uint16 or float32), ``mask`` h x w uint8."""

    record: CaseRecord
    pixels: np.ndarray
    mask: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class CompleteRecord:
    """complete.json: every case of a finished cache; ``copies`` are copy -> the case it was made from."""

    format: int
    cases: list[str]
    copies: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CaseStore:
    """One folder ``preprocessed/<dataset>/<variant>``."""

    folder: Path

    def _json(self, case: str) -> Path:
        return self.folder / f"{case}.json"

    def has(self, case: str, *, source: str) -> bool:
        """Is this case stored, whole, and made from this source?"""
        if not self._json(case).is_file():
            return False
        try:
            record = read_dataclass(CaseRecord, self._json(case), error=DatasetError)
        except DatasetError:
            return False
        return record.format == FORMAT and record.source == source and self._array(case).is_file()

    def record(self, case: str) -> CaseRecord:
        """What is known of one case, without its arrays.

        Raises:
            DatasetError: it is not there or broken.
        """
        return read_dataclass(CaseRecord, self._json(case), error=DatasetError)

    def write(self, record: CaseRecord, *, pixels: np.ndarray, mask: np.ndarray | None) -> None:
        """Store one case; the record last."""
        self._json(record.id).unlink(missing_ok=True)
        with atomic_path(self._array(record.id)) as temporary:
            np.save(temporary, pixels)
        if mask is not None:
            with atomic_path(self._array(f"{record.id}_mask")) as temporary:
                np.save(temporary, mask.astype(np.uint8))
        write_json(self._json(record.id), record)

    def read(self, case: str) -> StoredCase:
        """Read one case.

        Raises:
            DatasetError: it is not there or broken.
        """
        record = self.record(case)
        mask_file = self._array(f"{case}_mask")
        try:
            pixels = np.load(self._array(case), allow_pickle=False)
            mask = np.load(mask_file, allow_pickle=False) if mask_file.is_file() else None
        except (OSError, ValueError, EOFError) as problem:
            raise DatasetError(
                f"the cached case is broken ({problem})",
                where=self._array(case),
                hint="Delete it and run cervseg_plan_and_preprocess again.",
            ) from None
        return StoredCase(record=record, pixels=pixels, mask=mask)

    def finish(self, cases: list[str], *, copies: Mapping[str, str] = MappingProxyType({})) -> None:
        """Declare the cache complete; ``copies`` are copy -> the case it was made from."""
        record = CompleteRecord(format=FORMAT, cases=sorted(cases), copies=dict(sorted(copies.items())))
        write_json(self._complete, record)

    def reopen(self) -> None:
        """Withdraw the declaration, before anything is changed."""
        self._complete.unlink(missing_ok=True)

    def cases(self) -> list[str]:
        """Ids of a complete cache, without copies.

        Raises:
            DatasetError: the cache is not there or not complete.
        """
        return self._record_of_all().cases

    def copies(self) -> dict[str, str]:
        """Copy -> the case it was made from; empty but for the variant "augmented".

        Raises:
            DatasetError: the cache is not there or not complete.
        """
        return self._record_of_all().copies

    def _record_of_all(self) -> CompleteRecord:
        if not self._complete.is_file():
            raise DatasetError(
                "this dataset is not preprocessed, or not to the end",
                where=self.folder,
                hint="Run cervseg_plan_and_preprocess first; it goes on where it stopped.",
            )
        return read_dataclass(CompleteRecord, self._complete, error=DatasetError)

    @property
    def _complete(self) -> Path:
        return self.folder / "complete.json"

    def _array(self, name: str) -> Path:
        return self.folder / f"{name}.npy"
