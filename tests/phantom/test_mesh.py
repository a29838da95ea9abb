from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.phantom.mesh import Mesh, is_closed, merge_vertices, read_mesh
from tests.meshes import box, sphere, write_stl


def _volume_mm3(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices_mm[mesh.triangles[:, i]].astype(np.float64) for i in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def test_stl_is_read_into_the_axes_of_the_phantom(tmp_path: Path) -> None:
    """x left, y posterior, z up become x posterior, y inferior, z right; outside stays outside."""
    mesh = box((10.0, 20.0, 30.0), (4.0, 6.0, 8.0), step_mm=2.0)
    write_stl(tmp_path / "a.stl", mesh)
    read = read_mesh(tmp_path / "a.stl")
    np.testing.assert_allclose(read.vertices_mm.min(axis=0), (8, 17, 26))
    np.testing.assert_allclose(read.vertices_mm.max(axis=0), (12, 23, 34))
    assert len(read.vertices_mm) == len(mesh.vertices_mm)
    assert _volume_mm3(read) == pytest.approx(4 * 6 * 8)


def test_obj_is_read(tmp_path: Path) -> None:
    """Polygons, texture indices and negative indices of an OBJ file are read."""
    lines = ["# tetrahedron", "v 0 0 0", "v 1 0 0", "v 0 1 0", "v 0 0 1"]
    faces = ["f 1/1 3/1 2/1", "f 1 2 4", "f 1 4 3", "f -3 -2 -1"]
    (tmp_path / "a.obj").write_text("\n".join(lines + faces))
    read = read_mesh(tmp_path / "a.obj")
    assert is_closed(read)
    assert _volume_mm3(read) == pytest.approx(1 / 6)
    np.testing.assert_allclose(read.vertices_mm.min(axis=0), (0, -1, -1))


def test_damaged_file_is_an_error(tmp_path: Path) -> None:
    """A file that ends too early names itself."""
    write_stl(tmp_path / "a.stl", box((0, 0, 0), (4, 4, 4)))
    (tmp_path / "a.stl").write_bytes((tmp_path / "a.stl").read_bytes()[:-7])
    with pytest.raises(DatasetError, match="mesh cannot be read") as caught:
        read_mesh(tmp_path / "a.stl")
    assert caught.value.where.endswith("a.stl")


def test_hole_is_noticed() -> None:
    """A surface without one triangle, or with one turned round, is not closed."""
    mesh = box((0, 0, 0), (4, 4, 4))
    assert is_closed(mesh)
    assert not is_closed(Mesh(vertices_mm=mesh.vertices_mm, triangles=mesh.triangles[1:]))
    turned = mesh.triangles.copy()
    turned[0] = turned[0, ::-1]
    assert not is_closed(Mesh(vertices_mm=mesh.vertices_mm, triangles=turned))


def test_merged_surface_stays_closed() -> None:
    """Merging vertices leaves fewer of them, a closed surface and nearly the same volume."""
    mesh = sphere((5.0, 5.0, 5.0), 10.0)
    merged = merge_vertices(mesh, cell_mm=1.5)
    assert len(merged.vertices_mm) < 0.7 * len(mesh.vertices_mm)
    assert is_closed(merged)
    assert _volume_mm3(merged) == pytest.approx(_volume_mm3(mesh), rel=0.03)


def test_normals_point_outwards() -> None:
    """The normals of a sphere are its radii."""
    mesh = sphere((1.0, 2.0, 3.0), 10.0)
    radii = (mesh.vertices_mm - (1.0, 2.0, 3.0)) / 10.0
    np.testing.assert_allclose(mesh.normals, radii, atol=0.06)
