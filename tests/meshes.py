"""Small closed surfaces and a folder of toy bones for the tests of the mesh phantoms.

Axes of arrays here are those of a phantom: x posterior, y inferior, z right, in mm.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cervseg.phantom.anatomy import Anatomy, draw_anatomy
from cervseg.phantom.mesh import Mesh
from cervseg.phantom.mesh_patient import MeshPatient, draw_mesh_patient
from cervseg.phantom.mesh_set import MeshSet

# Level -> centre of the toy body (x, y).
LEVELS_MM = {
    "C1": (-8.0, -52.0), "C2": (0.0, -36.0), "C3": (0.0, -18.0), "C4": (0.0, 0.0), "C5": (0.0, 18.0),
    "C6": (0.0, 36.0), "C7": (0.0, 54.0), "T1": (0.0, 73.0), "T2": (0.0, 93.0),
}  # fmt: skip


def box(centre_mm: tuple[float, ...], size_mm: tuple[float, ...], *, step_mm: float = 1.5) -> Mesh:
    """Make a box whose sides are divided into triangles of about ``step_mm``."""
    corners = []
    half = np.asarray(size_mm) / 2
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        steps = [max(int(np.ceil(size_mm[a] / step_mm)), 1) for a in (u, v)]
        grids = [np.linspace(-half[a], half[a], n + 1) for a, n in zip((u, v), steps)]
        for side in (-1, 1):
            grid = np.zeros((steps[0] + 1, steps[1] + 1, 3))
            grid[..., axis] = side * half[axis]
            grid[..., u], grid[..., v] = np.meshgrid(*grids, indexing="ij")
            a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
            faces = np.stack([a, b, c, a, c, d], axis=2).reshape(-1, 3, 3)
            corners.append(faces if side > 0 else faces[:, ::-1])
    return from_corners(np.concatenate(corners) + np.asarray(centre_mm))


def sphere(centre_mm: tuple[float, ...], radius_mm: float, *, steps: int = 24) -> Mesh:
    """Make a sphere out of a box."""
    cube = box((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), step_mm=2.0 / steps)
    directions = np.tan(cube.vertices_mm.astype(np.float64) * (np.pi / 4))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Mesh(vertices_mm=(directions * radius_mm + centre_mm).astype(np.float32), triangles=cube.triangles)


def from_corners(corners_mm: np.ndarray) -> Mesh:
    """Join the equal corners of M x 3 x 3 triangles."""
    vertices, rows = np.unique(np.round(corners_mm.reshape(-1, 3), 4), axis=0, return_inverse=True)
    return Mesh(vertices_mm=vertices.astype(np.float32), triangles=rows.reshape(-1, 3).astype(np.int32))


def union(*parts: Mesh) -> Mesh:
    """Put surfaces side by side into one mesh."""
    shifts = np.cumsum([0, *(len(part.vertices_mm) for part in parts)])
    return Mesh(
        vertices_mm=np.concatenate([part.vertices_mm for part in parts]),
        triangles=np.concatenate([part.triangles + int(shift) for part, shift in zip(parts, shifts)]),
    )


def toy_vertebra(level: str, *, process_mm: float = 20.0) -> Mesh:
    """Make a vertebra out of boxes: body, pillars and process.

    The body is 16 mm wide and 14 mm high, the canal 16 mm. The process is 8 mm high and starts at x = 24,
    y = 2. C1 has an arch and a tubercle, C2 a dens.
    """
    x, y = LEVELS_MM[level]
    process = box((x + 24 + process_mm / 2, y + 2, 0), (process_mm, 8, 6))
    pillars = [box((x + 16, y, side * 12), (18, 12, 10)) for side in (-1, 1)]
    if level == "C1":
        body, process = box((x, y, 0), (5, 9, 10)), box((x + 43, y + 2, 0), (6, 8, 8))
    elif level == "C2":
        body = box((x, y - 8, 0), (16, 30, 14))
    else:
        body = box((x, y, 0), (16, 14, 20))
    return union(body, process, *pillars)


def write_stl(path: Path, mesh: Mesh) -> None:
    """Write a binary STL file in the axes of the files: x left, y posterior, z up."""
    x, y, z = mesh.vertices_mm.T
    corners = np.stack([-z, x, -y], axis=1)[mesh.triangles].astype("<f4")
    records = np.zeros(len(corners), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("end", "<u2")])
    records["corners"] = corners
    path.write_bytes(bytes(80) + len(corners).to_bytes(4, "little") + records.tobytes())


def write_bones(folder: Path) -> None:
    """Write all required toy bones and a hyoid."""
    folder.mkdir(parents=True, exist_ok=True)
    bones = {level: toy_vertebra(level) for level in LEVELS_MM}
    bones |= {
        "occipital": box((30, -95, 0), (60, 50, 100), step_mm=4.0),
        "maxilla_L": box((-70, -60, -15), (40, 30, 20), step_mm=4.0),
        "maxilla_R": box((-70, -60, 15), (40, 30, 20), step_mm=4.0),
        "mandible": box((-60, -30, 0), (60, 16, 40), step_mm=4.0),
        "hyoid": box((-40, 0, 0), (20, 5, 20)),
    }
    for bone, mesh in bones.items():
        write_stl(folder / f"{bone}.stl", mesh)


def standard_anatomy(**choices: bool) -> Anatomy:
    """One anatomy in neutral posture, without implant, fracture and overlap unless asked for."""
    choices = {"hardware": False, "fracture": False, "overlap": False, **choices}
    return draw_anatomy(np.random.default_rng(3), posture="neutral", **choices)


def mesh_patient(meshes: MeshSet, anatomy: Anatomy, seed: int = 1) -> MeshPatient:
    """The patient whose bones are these surfaces, placed as in the anatomy."""
    return draw_mesh_patient(np.random.default_rng(seed), meshes=meshes, anatomy=anatomy)
