from __future__ import annotations

import numpy as np
import pytest

from cervseg.phantom.solid import Pose, Solid, add_solid, ellipse, path_attenuation, smooth_outline

MM_TO_PX = np.array([[4.0, 0.0, 100.0], [0.0, 4.0, 100.0]])


def _drawn(*solids: Solid) -> np.ndarray:
    canvas = np.zeros((200, 200), dtype=np.float32)
    for solid in solids:
        add_solid(canvas, solid, mm_to_px=MM_TO_PX)
    return canvas


def test_attenuation_is_additive() -> None:
    """The attenuation of two solids is the sum of both (Beer-Lambert)."""
    bone = Solid(outline_mm=ellipse(0, 0, 12, 9), depth_mm=20, edge_mm=5, shell_mm=0.8)
    other = Solid(outline_mm=ellipse(6, 2, 10, 6), depth_mm=10, edge_mm=3)
    np.testing.assert_allclose(_drawn(bone, other), _drawn(bone) + _drawn(other), atol=1e-6)


def test_plateau_is_coefficient_times_depth() -> None:
    """Far from the outline the path length is the depth: twice the shell, the rest inside."""
    solid = Solid(
        outline_mm=ellipse(0, 0, 15, 15),
        depth_mm=20,
        edge_mm=4,
        shell_mm=1,
        shell_per_mm=0.07,
        inside_per_mm=0.02,
    )
    assert _drawn(solid)[100, 100] == pytest.approx(2 * 1 * 0.07 + 18 * 0.02, abs=1e-6)


def test_a_sphere_has_the_chords_of_a_sphere() -> None:
    """With edge = radius and depth = diameter the path length is the chord 2 sqrt(r^2 - x^2) of a sphere."""
    distance_mm = np.linspace(0, 10, 21, dtype=np.float32)
    solid = Solid(outline_mm=ellipse(0, 0, 10, 10), depth_mm=20, edge_mm=10, inside_per_mm=1.0)
    expected = 2 * np.sqrt(10.0**2 - (10.0 - distance_mm) ** 2)
    np.testing.assert_allclose(path_attenuation(solid, distance_mm, None), expected, rtol=1e-5, atol=1e-5)


def test_the_cortex_is_brightest_near_the_outline() -> None:
    """The maximum of the attenuation is one shell thickness inside the outline."""
    distance_mm = np.arange(0, 8, 0.05, dtype=np.float32)
    solid = Solid(outline_mm=ellipse(0, 0, 10, 10), depth_mm=16, edge_mm=6, shell_mm=0.8, inside_per_mm=0.0)
    assert distance_mm[np.argmax(path_attenuation(solid, distance_mm, None))] == pytest.approx(0.8, abs=0.1)


def test_cropping_does_not_change_values_inside() -> None:
    """A solid cut by the edge of the canvas has the same values as on a larger canvas."""
    solid = Solid(outline_mm=ellipse(22, 0, 14, 10), depth_mm=16, edge_mm=6, shell_mm=0.8)
    large = np.zeros((200, 400), dtype=np.float32)
    add_solid(large, solid, mm_to_px=MM_TO_PX)
    np.testing.assert_allclose(_drawn(solid), large[:, :200], atol=1e-6)


def test_smooth_outline_passes_through_its_points() -> None:
    """Every input point is a row of the curve."""
    points = [(0.0, 0.0), (10.0, 1.0), (12.0, 8.0), (3.0, 9.0)]
    np.testing.assert_allclose(smooth_outline(points, num_between=5)[::5], points)


def test_pose_rotates_x_towards_y() -> None:
    """A rotation by 90 degrees maps posterior (1, 0) to inferior (0, 1)."""
    pose = Pose(x_mm=5, y_mm=7, angle_deg=90)
    np.testing.assert_allclose(pose.apply(np.array([[1.0, 0.0], [0.0, 1.0]])), [[5, 8], [4, 7]], atol=1e-12)
