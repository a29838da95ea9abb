"""The cache of a dataset variant: each image once, reduced, lossless, shared by all trainers.

A case is stored when its ``case.json`` exists, which is written after the arrays. The folder is complete when
``complete.json`` exists, which is written after the last case. An interrupted run can be resumed, and
training does not accept an incomplete folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from cervseg.core.atomic import atomic_path
from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import read_dataclass, write_json
from cervseg.core.types import SpacingMm

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class CaseRecord:
    """Content of case.json: properties of a case and its source.

    ``source`` identifies the source files (names, sizes and modification times) and the settings; a case
    whose source has changed is stored again.
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
    """A case of the cache: ``pixels`` C x h x w (uint8, uint16 or float32), ``mask`` h x w uint8."""

    record: CaseRecord
    pixels: np.ndarray
    mask: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class CompleteRecord:
    """Content of complete.json: the cases of a complete cache; ``copies`` maps copies to their sources."""

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
        """Return True if the case is stored completely and from this source."""
        if not self._json(case).is_file():
            return False
        try:
            record = read_dataclass(CaseRecord, self._json(case), error=DatasetError)
        except DatasetError:
            return False
        return record.format == FORMAT and record.source == source and self._array(case).is_file()

    def record(self, case: str) -> CaseRecord:
        """Read the record of one case.

        Raises:
            DatasetError: the record is missing or invalid.
        """
        return read_dataclass(CaseRecord, self._json(case), error=DatasetError)

    def write(self, record: CaseRecord, *, pixels: np.ndarray, mask: np.ndarray | None) -> None:
        """Store one case, its record last.

        Args:
            record: properties of the case.
            pixels: C x h x w uint8, uint16 or float32.
            mask: h x w label values, or None.
        """
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
            DatasetError: the case is missing or invalid.
        """
        record = self.record(case)
        mask_file = self._array(f"{case}_mask")
        try:
            pixels = np.load(self._array(case), allow_pickle=False)
            mask = np.load(mask_file, allow_pickle=False) if mask_file.is_file() else None
        except (OSError, ValueError, EOFError) as problem:
            raise DatasetError(
                f"the cached case is invalid ({problem})",
                where=self._array(case),
                hint="delete it and run cervseg_plan_and_preprocess again",
            ) from None
        return StoredCase(record=record, pixels=pixels, mask=mask)

    def finish(self, cases: list[str], *, copies: Mapping[str, str] = MappingProxyType({})) -> None:
        """Mark the cache as complete; ``copies`` maps copies to their sources."""
        record = CompleteRecord(format=FORMAT, cases=sorted(cases), copies=dict(sorted(copies.items())))
        write_json(self._complete, record)

    def reopen(self) -> None:
        """Mark the cache as incomplete, before it changes."""
        self._complete.unlink(missing_ok=True)

    def cases(self) -> list[str]:
        """List the case ids of a complete cache, without copies.

        Raises:
            DatasetError: the cache is missing or incomplete.
        """
        return self._record_of_all().cases

    def copies(self) -> dict[str, str]:
        """Map copies to their sources; empty except for the variant "augmented".

        Raises:
            DatasetError: the cache is missing or incomplete.
        """
        return self._record_of_all().copies

    def _record_of_all(self) -> CompleteRecord:
        if not self._complete.is_file():
            raise DatasetError(
                "preprocessing is incomplete",
                where=self.folder,
                hint="run cervseg_plan_and_preprocess; finished cases are kept",
            )
        return read_dataclass(CompleteRecord, self._complete, error=DatasetError)

    @property
    def _complete(self) -> Path:
        return self.folder / "complete.json"

    def _array(self, name: str) -> Path:
        return self.folder / f"{name}.npy"
