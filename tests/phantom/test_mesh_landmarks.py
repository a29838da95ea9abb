from __future__ import annotations

import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.phantom.mesh import Mesh
from cervseg.phantom.mesh_landmarks import find_landmarks
from cervseg.phantom.solid import Pose
from tests.meshes import LEVELS_MM, box, toy_vertebra


def _tilted(mesh: Mesh, pose: Pose) -> Mesh:
    vertices = mesh.vertices_mm.copy()
    vertices[:, :2] = pose.apply(vertices[:, :2])
    return Mesh(vertices_mm=vertices, triangles=mesh.triangles)


@pytest.mark.parametrize("angle_deg", [0.0, -22.0, 15.0])
def test_body_and_process_are_found(angle_deg: float) -> None:
    """Pose, size, canal and process of a vertebra are found at any tilt."""
    pose = Pose(x_mm=12.0, y_mm=-7.0, angle_deg=angle_deg)
    found = find_landmarks("C4", _tilted(toy_vertebra("C4"), pose))
    assert (found.pose.x_mm, found.pose.y_mm) == pytest.approx((12.0, -7.0), abs=0.3)
    assert found.pose.angle_deg == pytest.approx(angle_deg, abs=1.5)
    assert (found.body_width_mm, found.body_height_mm) == pytest.approx((16, 14), abs=0.6)
    assert found.canal_mm == pytest.approx(16, abs=0.6)
    assert found.spinolaminar_mm == pytest.approx((24, 2), abs=0.6)
    assert abs(found.wall_deg) < 4.0
    assert found.process_length_mm == pytest.approx(20, abs=1.5)


def test_axis_has_a_dens() -> None:
    """The centre of C2 is that of its lower half, the top is the tip of the dens."""
    found = find_landmarks("C2", toy_vertebra("C2"))
    x, y = LEVELS_MM["C2"]
    bottom = y - 8 + 15
    assert found.pose.y_mm == pytest.approx(bottom - 7.5, abs=0.4)
    assert found.pose.x_mm == pytest.approx(x, abs=0.4)
    top = found.pose.apply(np.array([found.top_mm]))[0]
    assert top[1] == pytest.approx(y - 23, abs=0.4)


def test_local_axes_start_at_the_body() -> None:
    """The centre of the body is the origin of the local axes, the midsagittal plane z = 0."""
    mesh = _tilted(toy_vertebra("C5"), Pose(x_mm=1, y_mm=2, angle_deg=-18))
    mesh.vertices_mm[:, 2] += 7.0
    found = find_landmarks("C5", mesh)
    centre = np.array([[found.pose.x_mm, found.pose.y_mm, 7.0]])
    np.testing.assert_allclose(found.to_local(centre), np.zeros((1, 3)), atol=1e-6)


def test_block_without_canal_is_an_error() -> None:
    """A solid block is no vertebra."""
    with pytest.raises(DatasetError, match="no spinal canal in the midsagittal section of C3"):
        find_landmarks("C3", box((0, 0, 0), (40, 14, 40)))
