from __future__ import annotations

from pathlib import Path

import pytest

from cervseg.core.errors import DatasetError
from cervseg.phantom.mesh import Mesh
from cervseg.phantom.mesh_set import read_meshes
from tests.meshes import box, toy_vertebra, write_bones, write_stl


def test_folder_is_read(tmp_path: Path) -> None:
    """Every known bone is read, by its name or by its number; other files are ignored."""
    write_bones(tmp_path)
    (tmp_path / "C3.stl").rename(tmp_path / "C3_FMA12521.stl")
    (tmp_path / "C4.stl").rename(tmp_path / "FMA12522.stl")
    (tmp_path / "README.md").write_text("source and licence")
    write_stl(tmp_path / "femur.stl", box((0, 0, 0), (4, 4, 4)))
    meshes = read_meshes(tmp_path)
    assert {"C1", "C3", "C4", "T2", "hyoid", "mandible"} <= set(meshes.bones)
    assert "femur" not in meshes
    assert set(meshes.landmarks) == {"C1", "C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2"}


def test_missing_bones_are_named(tmp_path: Path) -> None:
    """The error names the missing bones, and the hint the file's name."""
    write_bones(tmp_path)
    (tmp_path / "C5.stl").unlink()
    (tmp_path / "mandible.stl").unlink()
    with pytest.raises(DatasetError, match="no mesh of C5, mandible") as caught:
        read_meshes(tmp_path)
    assert "C5.stl or FMA12523.stl" in caught.value.hint


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    """A folder that does not exist is named."""
    with pytest.raises(DatasetError, match="folder of meshes not found"):
        read_meshes(tmp_path / "meshes")


def test_open_surface_is_an_error(tmp_path: Path) -> None:
    """A surface with a hole cannot be projected."""
    write_bones(tmp_path)
    mesh = toy_vertebra("C6")
    write_stl(tmp_path / "C6.stl", Mesh(vertices_mm=mesh.vertices_mm, triangles=mesh.triangles[5:]))
    with pytest.raises(DatasetError, match="surface is not closed") as caught:
        read_meshes(tmp_path)
    assert caught.value.where.endswith("C6.stl")
