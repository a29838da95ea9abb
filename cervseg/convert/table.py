"""A user's table of images as CSV: pixel sizes, sex and age from the columns that the user names."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.types import SpacingMm
from cervseg.dataset.attributes import CaseAttributes

# Pixels of radiographs are tenths of a millimetre; a value outside this range has another unit.
_SPACING_MM = (0.01, 2.0)
_MAX_AGE = 130.0


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of the columns to read; None is not read."""

    id: str
    spacing: str | None = None
    sex: str | None = None
    age: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImageTable:
    """The content of a table.

    Args:
        spacing_mm: image id -> pixel size (row, column) in mm.
        attributes: image id -> sex and age.
        problems: remarks on cells that cannot be used.
    """

    spacing_mm: dict[str, SpacingMm]
    attributes: dict[str, CaseAttributes]
    problems: tuple[str, ...]


def read_table(path: Path, columns: Columns, *, id_digits: int = 7) -> ImageTable:
    """Read a CSV file with a header, separated by comma, semicolon or tab (what the header has most of).

    Args:
        path: the file.
        columns: the columns to read.
        id_digits: numeric ids are padded with zeros to this length, as spreadsheets drop them; a file's
            suffix is removed.

    Raises:
        DatasetError: the file cannot be read, is not text or lacks a column, or no pixel size is in mm.
    """
    rows = _rows(path)
    header = [name.strip() for name in rows[0]] if rows else []
    wanted = [name for name in (columns.id, columns.spacing, columns.sex, columns.age) if name is not None]
    if missing := [name for name in wanted if name not in header]:
        raise DatasetError(
            f"no column {missing[0]!r}",
            where=path,
            hint=f"Its columns are: {', '.join(header)}" if header else "",
        )
    place = {name: header.index(name) for name in wanted}
    spacing: dict[str, SpacingMm] = {}
    attributes: dict[str, CaseAttributes] = {}
    problems: list[str] = []
    for row in rows[1:]:
        cells = {name: row[at].strip() if at < len(row) else "" for name, at in place.items()}
        image = _image_id(cells[columns.id], id_digits)
        if not image:
            continue
        if columns.spacing is not None and cells[columns.spacing]:
            side = _number(cells[columns.spacing])
            if side is not None and _SPACING_MM[0] <= side <= _SPACING_MM[1]:
                spacing[image] = (side, side)
            else:
                problems.append(f"{image}: {cells[columns.spacing]!r} is not a pixel size in mm")
        age = None if columns.age is None else _number(cells[columns.age])
        attributes[image] = CaseAttributes(
            sex=(cells[columns.sex] or None) if columns.sex is not None else None,
            age_years=age if age is not None and 0 <= age <= _MAX_AGE else None,
        )
    if problems and not spacing:
        raise DatasetError(
            f"column {columns.spacing!r} has no pixel sizes in mm, such as 0.15 ({problems[0]})",
            where=path,
            hint="Convert them to millimetres per pixel first",
        )
    return ImageTable(spacing_mm=spacing, attributes=attributes, problems=tuple(problems))


def _rows(path: Path) -> list[list[str]]:
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise DatasetError("a spreadsheet, not a CSV file", where=path, hint="Save it as CSV")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DatasetError("no such file", where=path) from None
    except (OSError, UnicodeDecodeError):
        raise DatasetError("not a text file in UTF-8", where=path, hint="Save it as CSV in UTF-8") from None
    lines = text.splitlines()
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    return [row for row in csv.reader(lines, delimiter=delimiter) if row]


def _image_id(text: str, digits: int) -> str:
    stem = text.removesuffix(".0") if text.endswith(".0") else Path(text).stem
    return stem.zfill(digits) if stem.isdecimal() else stem


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
