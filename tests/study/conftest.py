"""Figures of fewer pixels: a study draws dozens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cervseg.figures import style


@pytest.fixture(autouse=True, scope="module")
def few_pixels() -> Iterator[None]:
    """Draw at 60 instead of 220 dots per inch."""
    before, style.DPI = style.DPI, 60
    yield
    style.DPI = before
