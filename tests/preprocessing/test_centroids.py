"""Connected components and their points."""

import numpy as np
import pytest

from cervseg.preprocessing.centroids import LEAST_PX, find_components


def test_two_boxes_by_hand() -> None:
    """Two boxes have their centroids (x, y); component k belongs to row k - 1."""
    plane = np.zeros((20, 30))
    plane[2:5, 10:15] = 1
    plane[10:14, 20:22] = 7
    numbers, points = find_components(plane)
    assert points.tolist() == [[12.0, 3.0], [20.5, 11.5]]
    assert numbers.dtype == np.int32
    assert np.array_equal(numbers > 0, plane > 0)
    assert [int(numbers[row, column]) for row, column in ((3, 12), (11, 20), (0, 0))] == [1, 2, 0]


def test_centroid_outside_its_component_moves_inside() -> None:
    """For a ring and a hook, the point is their pixel nearest to the centroid."""
    rows, columns = np.indices((41, 41))
    distance = np.hypot(rows - 20, columns - 20)
    ring = (distance > 10) & (distance < 14)
    hook = np.zeros((41, 41), bool)
    hook[5:35, 5:8] = hook[32:35, 5:35] = True
    for plane in (ring, hook):
        _, points = find_components(plane)
        assert points.shape == (1, 2)
        column, row = points[0].astype(int)
        assert plane[row, column]
        centroid = np.argwhere(plane).mean(0)
        distances = np.linalg.norm(np.argwhere(plane) - centroid, axis=1)
        assert np.hypot(row - centroid[0], column - centroid[1]) == pytest.approx(distances.min())


def test_moved_point_stays_in_its_component() -> None:
    """A disc inside a ring keeps its centroid; the point of the ring is on the ring."""
    rows, columns = np.indices((41, 41))
    distance = np.hypot(rows - 20, columns - 20)
    numbers, points = find_components((distance < 5) | ((distance > 10) & (distance < 14)))
    owners = [int(numbers[round(y), round(x)]) for x, y in points]
    assert owners == [1, 2]


def test_small_components_are_ignored() -> None:
    """Components below LEAST_PX are removed, the others renumbered; diagonal neighbours are connected."""
    plane = np.zeros((20, 20), np.uint8)
    plane[0, : LEAST_PX - 1] = 1
    plane[5, :LEAST_PX] = 1
    plane[np.arange(10, 18), np.arange(10, 18)] = 1
    numbers, points = find_components(plane)
    assert points.tolist() == [[(LEAST_PX - 1) / 2, 5.0], [13.5, 13.5]]
    assert sorted(np.unique(numbers)) == [0, 1, 2]
    assert not numbers[0].any()


def test_empty_mask_has_no_points() -> None:
    """The points of an empty mask have shape 0 x 2."""
    numbers, points = find_components(np.zeros((9, 7), bool))
    assert points.shape == (0, 2)
    assert not numbers.any()
