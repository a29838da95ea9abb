"""README.md: short, and its Python example runs as it stands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import cervseg
from cervseg.testing import tiny_dataset

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TINY = {
    "2d_vit.epochs": "1",
    "2d_vit.batch_size": "2",
    "2d_vit.input_size": "64x64",
    "2d_vit.precision": "float32",
    "2d_vit.embed_dim": "16",
    "2d_vit.depth": "1",
    "2d_vit.num_heads": "2",
}


def test_readme_is_short() -> None:
    """At most 120 lines."""
    assert len(README.read_text().splitlines()) <= 120


def test_links_of_readme_exist() -> None:
    """Every relative link leads to a file of the repository."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text())
    assert [target for target in targets if not (ROOT / target).is_file()] == []


def test_python_example_of_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The block runs unchanged on phantoms; only the plan before it is small, and it is kept."""
    raw = tmp_path / "raw_data" / "Dataset101_Neck"
    tiny_dataset(raw)
    shutil.copytree(raw / "imagesTr", tmp_path / "new_images")
    shutil.copytree(raw / "labelsTr", tmp_path / "references")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CERVSEG_ROOT", raising=False)
    cervseg.plan_and_preprocess(101, settings=TINY, progress=False)
    (block,) = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    capsys.readouterr()
    exec(compile(block, "README.md", "exec"), {})
    dice = float(capsys.readouterr().out.split()[-1])
    assert 0 <= dice <= 1
    assert len(list((tmp_path / "new_masks").glob("*.png"))) == 10
    assert (tmp_path / "summary.json").is_file()
