"""What all conversions share: a dataset folder that appears whole or not at all, and the report on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cervseg.core.errors import CervsegError, DatasetError
from cervseg.core.types import SpacingMm
from cervseg.core.workers import Outcome
from cervseg.dataset.writer import DatasetWriter

MAX_REASONS = 20


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """What became of a conversion.

    ``left_out`` names, one line each, what is not in the dataset and why; ``notes`` are remarks on what is.
    """

    folder: Path
    num_training: int
    num_test: int
    labels: dict[str, int]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Is every given file in the dataset? The command's exit code is 1 if not."""
        return not self.left_out


def check_target(folder: Path, *, overwrite: bool) -> None:
    """Refuse to replace a dataset that nobody asked to replace; to be called before any work.

    Raises:
        DatasetError: ``folder`` is there already and ``overwrite`` is not said.
    """
    if folder.exists() and not overwrite:
        raise DatasetError("exists already", where=folder, hint="Choose another number, or say --overwrite.")


@contextmanager
def new_dataset(folder: Path) -> Iterator[DatasetWriter]:
    """A writer into a hidden folder, which is renamed to ``folder`` when the block ends well.

    A killed run leaves no partial dataset; what was in ``folder`` stays until the new one is whole.
    """
    temporary = folder.with_name(f".{folder.name}.converting")
    shutil.rmtree(temporary, ignore_errors=True)  # a killed run's
    try:
        yield DatasetWriter(folder=temporary, name=folder.name)
        _replace(folder, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def finish(
    writer: DatasetWriter,
    *,
    num_training: int,
    num_test: int,
    labels: Mapping[str, int],
    spacing_mm: Mapping[str, SpacingMm],
    channel_name: str,
    left_out: Sequence[str],
    notes: Sequence[str],
    folder: Path,
) -> ConversionReport:
    """Write dataset.json and make the report on ``folder``, which the writer's will become.

    Raises:
        DatasetError: another process wrote training images there too.
    """
    description = writer.finish(
        channel_names=[channel_name], labels=labels, spacing_mm=dict(sorted(spacing_mm.items()))
    )
    if description.num_training != num_training:
        raise DatasetError("another conversion writes there too", where=writer.folder, hint="Start again.")
    return ConversionReport(
        folder=folder,
        num_training=num_training,
        num_test=num_test,
        labels=dict(labels),
        left_out=tuple(left_out),
        notes=tuple(notes),
    )


def nothing_converted(left_out: Sequence[str]) -> DatasetError:
    """The error to raise where no image at all could be used, with the first reasons."""
    return DatasetError(
        "no image could be converted" + "".join(f"\n  {line}" for line in left_out[:MAX_REASONS])
    )


def reason(path: Path, error: Exception) -> str:
    """One line on why the image ``path`` is left out."""
    return str(error) if isinstance(error, CervsegError) else f"{path}: {error}"


def failures(outcomes: Sequence[Outcome[Any, Any]], paths: Sequence[Path]) -> list[str]:
    """The lines of those outcomes that are errors; ``paths`` has a file for each outcome."""
    return [
        reason(path, outcome.error) for outcome, path in zip(outcomes, paths) if outcome.error is not None
    ]


def as_integers(plane: np.ndarray) -> tuple[np.ndarray, bool]:
    """H x W uint8 or uint16 as it is; floats over their own range in 16 bits, and whether that was needed."""
    if plane.dtype in (np.uint8, np.uint16):
        return plane, False
    low, high = float(plane.min()), float(plane.max())
    return np.rint((plane - low) * (65535 / max(high - low, 1e-12))).astype(np.uint16), True


def check_same_size(plane: np.ndarray, other: np.ndarray, *, where: Path, what: str) -> None:
    """Image and ``other``, H x W (x channels), must be of one size.

    Args:
        what: the other's name for the message, such as "its mask a.png".

    Raises:
        DatasetError: they are not.
    """
    if plane.shape[:2] != other.shape[:2]:
        raise DatasetError(
            f"the image has {size_text(plane)} pixels, {what} {size_text(other)}",
            where=where,
            hint="Export both at the same size.",
        )


def size_text(plane: np.ndarray) -> str:
    """``WIDTH x HEIGHT``."""
    return f"{plane.shape[1]} x {plane.shape[0]}"


def _replace(folder: Path, made: Path) -> None:
    """Put ``made`` where ``folder`` is or shall be; at no time is there half a dataset."""
    old = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
