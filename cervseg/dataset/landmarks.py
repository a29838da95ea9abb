"""Anatomical landmarks that come with the images: ``landmarks/<case>.json`` in a dataset's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import read_dataclass, write_json

FOLDER = "landmarks"


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """The landmarks of one image.

    Args:
        points: name -> (x, y) in px of the image; landmarks that are not annotated are missing.
        source: where they come from, such as "CSXA".
    """

    points: dict[str, tuple[float, float]]
    source: str = ""


def write_landmarks(dataset: Path, case: str, landmarks: Landmarks) -> None:
    """Write the landmarks of a case into a dataset's folder, as a whole or not at all."""
    write_json(dataset / FOLDER / f"{case}.json", landmarks)


def read_landmarks(dataset: Path, case: str) -> Landmarks | None:
    """Read the landmarks of a case; None if it has none.

    Raises:
        DatasetError: the file is invalid.
    """
    path = dataset / FOLDER / f"{case}.json"
    return read_dataclass(Landmarks, path, error=DatasetError) if path.is_file() else None
