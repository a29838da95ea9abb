"""Sex and age of the patients of a dataset, in ``cases.csv``; never names."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.atomic import atomic_path
from cervseg.core.errors import DatasetError

FILE = "cases.csv"
_COLUMNS = ("case", "sex", "age_years")


@dataclass(frozen=True, kw_only=True)
class CaseAttributes:
    """Sex as the source writes it, and age in years; None if unknown."""

    sex: str | None = None
    age_years: float | None = None


def write_attributes(dataset: Path, attributes: Mapping[str, CaseAttributes]) -> None:
    """Write attributes by case id, sorted, as a whole or not at all."""
    with atomic_path(dataset / FILE) as path, open(path, "w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for case, known in sorted(attributes.items()):
            age = "" if known.age_years is None else f"{known.age_years:g}"
            rows.writerow([case, known.sex or "", age])


def read_attributes(dataset: Path) -> dict[str, CaseAttributes]:
    """Read attributes by case id; empty if the dataset has no such file.

    Raises:
        DatasetError: the file has other columns, or an age is not a number.
    """
    path = dataset / FILE
    if not path.is_file():
        return {}
    with open(path, encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    if not rows or tuple(rows[0]) != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
        raise DatasetError(f"expected the columns {', '.join(_COLUMNS)}", where=path)
    try:
        return {
            case: CaseAttributes(sex=sex or None, age_years=float(age) if age else None)
            for case, sex, age in rows[1:]
        }
    except ValueError as problem:
        raise DatasetError(f"an age is not a number ({problem})", where=path) from None
