"""The built manual."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//|<link[^>]*\shref=["']?(?:https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual, built with every warning an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_fetches_nothing(site: Path) -> None:
    """Pages load scripts, styles and pictures from the site itself, so it opens from disk, offline."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    assert [page.name for page in pages if _FETCHED.search(page.read_text())] == []
    assert [sheet.name for sheet in site.rglob("*.css") if "url(http" in sheet.read_text()] == []


def test_definitions_come_from_the_code(site: Path) -> None:
    """The page on evaluation shows the sentences of summary.json, and the API page the public functions."""
    evaluation = (site / "evaluation.html").read_text()
    assert "2 TP / (2 TP + FP + FN)" in evaluation
    assert "<!-- metrics -->" not in evaluation
    api = (site / "api" / "index.html").read_text()
    for name in ("plan_and_preprocess", "train", "predict", "evaluate", "compare", "explain", "export"):
        assert f".{name}" in api
    assert ":func:" not in api
