"""The contract of a source: it lists its cases, and each case reads itself.

A new format needs two classes: a :class:`SourceCase` that reads one case, and a :class:`Source` that lists
them. :func:`cervseg.convert.conversion.convert` does the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.core.types import RawImage, SpacingMm
from cervseg.dataset.attributes import CaseAttributes
from cervseg.dataset.landmarks import Landmarks

Facts = TypeVar("Facts")


@dataclass(frozen=True, kw_only=True)
class CaseContent(Generic[Facts]):
    """The content of one case.

    Args:
        image: the image; its first channel is written.
        mask: H x W uint8 label numbers; None only for test cases.
        facts: what the notes of the source need to know about the case.
        landmarks: points of anatomy.
        attributes: sex and age.
    """

    image: RawImage
    mask: np.ndarray | None
    facts: Facts
    landmarks: Landmarks | None = None
    attributes: CaseAttributes | None = None


@dataclass(frozen=True, kw_only=True)
class SourceCase(ABC, Generic[Facts]):
    """One case of a source. It is pickled and read in a worker process.

    Args:
        id: name of the case in the dataset.
        path: the file that a message about the case names.
        is_test: whether the case is held out, in imagesTs and labelsTs.
    """

    id: str
    path: Path
    is_test: bool

    @abstractmethod
    def read(self) -> CaseContent[Facts]:
        """Read the case.

        Raises:
            CervsegError: the case cannot be used; the conversion leaves it out and reports the reason.
        """


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[Facts]):
    """The cases of a source, found without opening images.

    Args:
        cases: training and test cases.
        labels: label name -> number in the masks, with background 0.
        left_out: one line for each file that is not used, with the reason.
        notes: remarks for the report.
        needs_training: whether a dataset without training cases is an error.
        auxiliary: names of labels that help to train and are neither shown nor scored.
    """

    cases: tuple[SourceCase[Facts], ...]
    labels: Mapping[str, int]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    needs_training: bool = True
    auxiliary: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ConvertedCase(Generic[Facts]):
    """One case of the dataset, without its pixels; ``was_rescaled``: from floating point to 16 bits."""

    id: str
    path: Path
    is_test: bool
    has_mask: bool
    was_rescaled: bool
    spacing_mm: SpacingMm | None
    spacing_source: str
    attributes: CaseAttributes | None
    facts: Facts


class Source(ABC, Generic[Facts]):
    """Files that can be converted to a dataset."""

    @abstractmethod
    def list_cases(self) -> Listing[Facts]:
        """List the cases.

        Raises:
            DatasetError: a folder or file is missing or has no cases, or an option is invalid.
        """

    def notes(self, cases: Sequence[ConvertedCase[Facts]]) -> list[str]:
        """Remarks on the converted cases, for the report."""
        return []

    def write_records(self, folder: Path, cases: Sequence[ConvertedCase[Facts]]) -> None:
        """Write files of this source alone into the dataset's folder."""


def check_folders(*folders: Path | None) -> None:
    """Check that folders exist; None is skipped.

    Raises:
        DatasetError: one does not.
    """
    for folder in folders:
        if folder is not None and not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
