"""A closed surface, read from an STL or OBJ file.

Axes of the files: x left, y posterior, z up, in mm. Axes in memory: x posterior, y
inferior, z right. The first two are those of the phantom's plane, and the beam runs along the third.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.phantom.mesh_projection import Topology, find_edges


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """A closed surface of triangles.

    Args:
        vertices_mm: N x 3 float32 points (x posterior, y inferior, z right).
        triangles: M x 3 int32 rows of ``vertices_mm``; counter-clockwise seen from outside.
    """

    vertices_mm: np.ndarray
    triangles: np.ndarray

    @functools.cached_property
    def topology(self) -> Topology:
        """Triangles and edges."""
        return find_edges(self.triangles)

    @functools.cached_property
    def normals(self) -> np.ndarray:
        """Mean outward normal of the triangles at each vertex, weighted by area: N x 3 float32, length 1."""
        corners = self.vertices_mm[self.triangles]
        faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        at, count = self.triangles.T.ravel(), len(self.vertices_mm)
        sums = [np.bincount(at, weights=np.tile(column, 3), minlength=count) for column in faces.T]
        normals = np.stack(sums, axis=1)
        lengths = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        return np.asarray(normals / lengths, dtype=np.float32)


def read_mesh(path: Path) -> Mesh:
    """Read one surface; corners at the same place become one vertex.

    Args:
        path: binary STL or Wavefront OBJ file in mm; x left, y posterior, z up.

    Raises:
        DatasetError: the file is damaged.
    """
    try:
        corners = _read_obj(path) if path.suffix.lower() == ".obj" else _read_stl(path)
    except (ValueError, IndexError) as error:
        hint = "needs a binary STL or Wavefront OBJ file"
        raise DatasetError("mesh cannot be read", where=path, hint=hint) from error
    vertices, triangles = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    left, posterior, up = vertices.T
    # (posterior, inferior, right) is right-handed like (left, posterior, up): orientations are kept.
    placed = np.stack([posterior, -up, -left], axis=1).astype(np.float32)
    return Mesh(vertices_mm=placed, triangles=_proper(triangles.reshape(-1, 3)))


def is_closed(mesh: Mesh) -> bool:
    """Test whether every edge of every triangle is met by its neighbour in the opposite direction."""
    start, end = mesh.triangles.ravel(), np.roll(mesh.triangles, -1, axis=1).ravel()
    count = len(mesh.vertices_mm)
    there, back = start.astype(np.int64) * count + end, end.astype(np.int64) * count + start
    return bool(len(there)) and np.array_equal(np.sort(there), np.sort(back))


def merge_vertices(mesh: Mesh, *, cell_mm: float) -> Mesh:
    """Merge all vertices within a cell of a grid into their mean; a closed surface stays closed.

    Args:
        mesh: the surface.
        cell_mm: size of a cell.
    """
    cells = np.floor(mesh.vertices_mm / np.float32(cell_mm)).astype(np.int64)
    cells -= cells.min(axis=0)
    size = cells.max(axis=0) + 1
    codes = (cells[:, 0] * size[1] + cells[:, 1]) * size[2] + cells[:, 2]
    _, merged, counts = np.unique(codes, return_inverse=True, return_counts=True)
    sums = [np.bincount(merged, weights=column) for column in mesh.vertices_mm.T]
    vertices = (np.stack(sums, axis=1) / counts[:, None]).astype(np.float32)
    return Mesh(vertices_mm=vertices, triangles=_proper(merged[mesh.triangles]))


def _read_stl(path: Path) -> np.ndarray:
    """Read the corners of a binary STL file: M x 3 x 3 float32."""
    data = path.read_bytes()
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])
    if len(data) < 84 or len(data) != 84 + record.itemsize * int.from_bytes(data[80:84], "little"):
        raise ValueError("not a binary STL file")
    corners: np.ndarray = np.frombuffer(data, dtype=record, offset=84)["corners"]
    return corners


def _read_obj(path: Path) -> np.ndarray:
    """Read the corners of a Wavefront OBJ file, polygons as fans: M x 3 x 3 float32."""
    vertices, fans = [], []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        kind, *fields = line.split() or [""]
        if kind == "v":
            vertices.append([float(field) for field in fields[:3]])
        elif kind == "f":
            face = [int(field.split("/")[0]) for field in fields]
            rows = [index - 1 if index > 0 else len(vertices) + index for index in face]
            fans += [(rows[0], rows[i], rows[i + 1]) for i in range(1, len(rows) - 1)]
    return np.asarray(vertices, dtype=np.float32)[np.asarray(fans, dtype=np.int64)]


def _proper(triangles: np.ndarray) -> np.ndarray:
    """Drop triangles with two equal corners; a closed surface stays closed."""
    a, b, c = triangles.T
    return np.asarray(triangles[(a != b) & (b != c) & (c != a)], dtype=np.int32)
