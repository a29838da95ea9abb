"""The table of CONTRIBUTING.md that says where things go."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    (row[0].strip(), row[2].strip())
    for row in re.findall(
        r"^\| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    if row[0].startswith(("a ", "an "))
]


def test_the_table_is_found() -> None:
    """It has a row for each of the things that are added most often."""
    things = {thing for thing, _ in ROWS}
    assert {"a loss", "a metric", "an image format", "an augmentation", "a post-processing step"} <= things
    assert {"an export format", "a trainer", "a section of the report"} <= things


@pytest.mark.parametrize(("thing", "files"), ROWS)
def test_a_row_names_at_most_three_places_that_exist(thing: str, files: str) -> None:
    """Paths are of the package, or of the repository; `<library>` stands for any name."""
    places = files.split(";")
    assert len(places) <= 3
    named = [name for place in places for name in re.findall(r"`([\w./<>]+(?:/|\.py|\.toml|\.yml))`", place)]
    assert named
    paths = [Path(name).parent if "<" in name else Path(name) for name in named]
    assert [
        str(path) for path in paths if not any((root / path).exists() for root in (ROOT, ROOT / "cervseg"))
    ] == []
