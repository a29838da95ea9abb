from __future__ import annotations

import numpy as np
import pytest

from cervseg.phantom.mesh import Mesh
from cervseg.phantom.mesh_projection import Beam, join, path_length
from tests.meshes import box, sphere

PX_PER_MM = 3.0
MM_TO_PX = np.array([[PX_PER_MM, 0.0, 60.3], [0.0, PX_PER_MM, 50.7]])
PARALLEL = Beam(source_mm=(0.0, 0.0), distance_mm=1e7)
SIZE_PX = (100, 120)


def _project(mesh: Mesh, beam: Beam, mm_to_px: np.ndarray = MM_TO_PX) -> np.ndarray:
    return path_length(mesh.vertices_mm, mesh.topology, beam=beam, mm_to_px=mm_to_px, size_px=SIZE_PX)


def _pixels_mm() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[: SIZE_PX[0], : SIZE_PX[1]]
    return (columns - MM_TO_PX[0, 2]) / PX_PER_MM, (rows - MM_TO_PX[1, 2]) / PX_PER_MM


def test_path_through_a_sphere() -> None:
    """A parallel beam at distance d from the centre crosses 2 sqrt(R^2 - d^2)."""
    x, y = _pixels_mm()
    expected = 2 * np.sqrt(np.maximum(12.0**2 - x**2 - y**2, 0.0))
    path = _project(sphere((0, 0, 5), 12.0, steps=60), PARALLEL)
    np.testing.assert_allclose(path, expected, atol=0.01 * 24, rtol=0.01)
    assert np.abs(path[x**2 + y**2 > 12.1**2]).max() < 1e-4


def test_path_through_a_box_in_a_cone_beam() -> None:
    """The path of the cone beam is the chord between the entry and the exit of each ray."""
    beam = Beam(source_mm=(3.0, -2.0), distance_mm=300.0)
    path = _project(box((2, 1, 20), (14, 12, 16), step_mm=0.5), beam)
    x, y = _pixels_mm()
    direction = np.stack([x - 3.0, y + 2.0, np.full_like(x, 300.0)], axis=-1)
    # Slabs: the ray is source + t * direction; the chord is where it is inside all three.
    with np.errstate(divide="ignore"):
        low = (np.array([-5.0, -5.0, 12.0]) - (3.0, -2.0, -300.0)) / direction
        high = (np.array([9.0, 7.0, 28.0]) - (3.0, -2.0, -300.0)) / direction
    enters, leaves = np.minimum(low, high).max(axis=-1), np.maximum(low, high).min(axis=-1)
    expected = np.maximum(leaves - enters, 0.0) * np.linalg.norm(direction, axis=-1)
    np.testing.assert_allclose(path, expected, atol=0.01 * 16)
    assert path.max() == pytest.approx(16.0, rel=0.01)


def test_flipped_view_has_the_same_path() -> None:
    """A flip of the image is a flip of the path length, not of its sign."""
    ball = sphere((4, 0, 0), 8.0)
    flipped = MM_TO_PX * (1, 1, 1)
    flipped[0] = (-PX_PER_MM, 0.0, SIZE_PX[1] - 1 - MM_TO_PX[0, 2])
    path = _project(ball, PARALLEL)
    assert path.min() > -1e-6
    np.testing.assert_allclose(_project(ball, PARALLEL, flipped), path[:, ::-1], atol=1e-4)


@pytest.mark.parametrize("shift", [(-60.0, 0.0), (60.0, 0.0), (0.0, -50.0), (0.0, 50.0)])
def test_canvas_cuts_the_surface(shift: tuple[float, float]) -> None:
    """A surface that reaches over an edge of the canvas has the same path inside it."""
    ball = sphere((0, 0, 0), 12.0)
    moved = MM_TO_PX + np.array([[0, 0, shift[0]], [0, 0, shift[1]]])
    larger = path_length(
        ball.vertices_mm,
        ball.topology,
        beam=PARALLEL,
        mm_to_px=MM_TO_PX + np.array([[0, 0, 100], [0, 0, 100]]),
        size_px=(300, 320),
    )
    top, left = 100 - int(shift[1]), 100 - int(shift[0])
    inside = larger[top : top + SIZE_PX[0], left : left + SIZE_PX[1]]
    path = _project(ball, PARALLEL, moved)
    np.testing.assert_allclose(path, inside, atol=1e-4)
    assert path.max() > 20.0


def test_joined_surfaces_are_added_with_their_weights() -> None:
    """The path through two surfaces is the weighted sum of the paths through each."""
    ball, block = sphere((0, 0, 0), 8.0), box((3, 2, 4), (10, 8, 6))
    vertices, topology = join([(ball.vertices_mm, ball.topology), (block.vertices_mm, block.topology)])
    weights = np.repeat([2.0, -0.5], [len(ball.triangles), len(block.triangles)])
    path = path_length(vertices, topology, beam=PARALLEL, mm_to_px=MM_TO_PX, size_px=SIZE_PX, weights=weights)
    expected = 2.0 * _project(ball, PARALLEL) - 0.5 * _project(block, PARALLEL)
    np.testing.assert_allclose(path, expected, atol=1e-4)


def test_beam_magnifies_what_is_near_the_source() -> None:
    """A point 100 mm before the plane of the spine appears 1000 / 900 times as far from the central ray."""
    beam = Beam(source_mm=(10.0, 0.0), distance_mm=1000.0)
    point = beam.onto_plane(np.array([[28.0, 9.0, -100.0]]))
    np.testing.assert_allclose(point, [[30.0, 10.0]])
