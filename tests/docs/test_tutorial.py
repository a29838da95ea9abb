"""The tutorial notebook."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorial.ipynb"
SHORTER = {r"\"epochs\": \"20\"": r"\"epochs\": \"3\"", "num_train=40": "num_train=15"}


def test_the_notebook_is_saved_without_outputs() -> None:
    """The repository holds no rendered images and no paths of a machine."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert [cell.outputs for cell in cells if cell.cell_type == "code" and cell.outputs] == []


@pytest.mark.slow
def test_the_notebook_runs_from_images_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs, on fewer phantoms and epochs; the masks get a Dice and the report is written."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOK.parents[1])]))
    text = NOTEBOOK.read_text()
    for written, shorter in SHORTER.items():
        assert text.count(written) == 1
        text = text.replace(written, shorter)
    notebook = nbformat.reads(text, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    printed = ["".join(out.get("text", "") for out in cell.get("outputs", [])) for cell in notebook.cells]
    scores = dict(
        line.split()[:2] for text in printed for line in text.splitlines() if line.startswith("Dice")
    )
    assert 0 < float(scores["Dice"]) <= 1
    assert "report.html" in printed[-2]
