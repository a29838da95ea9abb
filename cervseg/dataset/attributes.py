"""What is known about the patients of a dataset: ``cases.csv`` with sex and age, never names."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.paths import atomic_path

FILE = "cases.csv"
_COLUMNS = ("case", "sex", "age_years")


@dataclass(frozen=True, kw_only=True)
class CaseAttributes:
    """Sex as its source writes it, age in years; None where it is not known."""

    sex: str | None = None
    age_years: float | None = None


def write_attributes(dataset: Path, attributes: Mapping[str, CaseAttributes]) -> None:
    """Write case id -> attributes, sorted by case; whole or not at all."""
    with atomic_path(dataset / FILE) as path, open(path, "w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for case, known in sorted(attributes.items()):
            age = "" if known.age_years is None else f"{known.age_years:g}"
            rows.writerow([case, known.sex or "", age])


def read_attributes(dataset: Path) -> dict[str, CaseAttributes]:
    """Case id -> attributes; empty where the dataset has no such file.

    Raises:
        DatasetError: the file has other columns, or an age is no number.
    """
    path = dataset / FILE
    if not path.is_file():
        return {}
    with open(path, encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    if not rows or tuple(rows[0]) != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
        raise DatasetError(f"must have the columns {', '.join(_COLUMNS)}", where=path)
    try:
        return {
            case: CaseAttributes(sex=sex or None, age_years=float(age) if age else None)
            for case, sex, age in rows[1:]
        }
    except ValueError as problem:
        raise DatasetError(f"an age is no number ({problem})", where=path) from None
