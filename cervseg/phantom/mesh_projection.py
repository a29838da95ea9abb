"""Path length of a cone beam through closed surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Beam:
    """A cone beam along +z onto the plane of the spine, z = 0.

    Args:
        source_mm: position (x, y) of the source; its ray is perpendicular to the plane of the spine.
        distance_mm: distance of the source from the plane of the spine.
    """

    source_mm: tuple[float, float]
    distance_mm: float

    def onto_plane(self, points_mm: np.ndarray) -> np.ndarray:
        """Project N x 3 points (x, y, z) from the source onto the plane of the spine: N x 2 float64."""
        points = np.asarray(points_mm, dtype=np.float64)
        source = np.asarray(self.source_mm)
        onto: np.ndarray = source + (points[:, :2] - source) / (1.0 + points[:, 2:] / self.distance_mm)
        return onto


@dataclass(frozen=True, kw_only=True, eq=False)
class Topology:
    """Triangles of one or more surfaces and their edges.

    Args:
        triangles: M x 3 int32 rows of an array of vertices.
        edges: E x 2 int32 rows, every edge once, the lower row first.
        edge_of: 3 M int32 rows of ``edges``: all first sides of the triangles, all second, all third.
        forward: 3 M float64, 1 where a side leads from the edge's first vertex to its second, otherwise -1.
    """

    triangles: np.ndarray
    edges: np.ndarray
    edge_of: np.ndarray
    forward: np.ndarray


def find_edges(triangles: np.ndarray) -> Topology:
    """Find the edges of M x 3 triangles."""
    start, end = triangles.T.ravel(), np.roll(triangles, -1, axis=1).T.ravel()
    low, high = np.minimum(start, end), np.maximum(start, end)
    count = int(high.max()) + 1
    codes, edge_of = np.unique(low.astype(np.int64) * count + high, return_inverse=True)
    return Topology(
        triangles=np.asarray(triangles, dtype=np.int32),
        edges=np.stack([codes // count, codes % count], axis=1).astype(np.int32),
        edge_of=edge_of.astype(np.int32),
        forward=np.where(start == low, 1.0, -1.0),
    )


def join(surfaces: list[tuple[np.ndarray, Topology]]) -> tuple[np.ndarray, Topology]:
    """Join surfaces into one array of vertices and one topology, triangles in order.

    Args:
        surfaces: N x 3 vertices and topology of each surface.
    """
    shifts = np.cumsum([0, *(len(vertices) for vertices, _ in surfaces)])
    edges = np.cumsum([0, *(len(topology.edges) for _, topology in surfaces)])
    parts = [topology for _, topology in surfaces]
    # The sides of all surfaces stay in the order first, second, third.
    sides = [
        [np.split(part.edge_of + int(edge), 3) for part, edge in zip(parts, edges)],
        [np.split(part.forward, 3) for part in parts],
    ]
    edge_of, forward = (
        np.concatenate([part[side] for side in range(3) for part in split]) for split in sides
    )
    joined = Topology(
        triangles=np.concatenate([part.triangles + int(shift) for part, shift in zip(parts, shifts)]),
        edges=np.concatenate([part.edges + int(shift) for part, shift in zip(parts, shifts)]),
        edge_of=edge_of,
        forward=forward,
    )
    return np.concatenate([vertices for vertices, _ in surfaces]), joined


def path_length(
    vertices_mm: np.ndarray,
    topology: Topology,
    *,
    beam: Beam,
    mm_to_px: np.ndarray,
    size_px: tuple[int, int],
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the path length of the beam through one or more closed surfaces.

    The path is the sum of the depths of all triangles that a ray crosses, positive where it leaves the solid
    and negative where it enters. Along a row of pixels the depth of a triangle is a linear function between
    two of its edges. So each edge changes value and slope of the sum at the first pixel right of it, and two
    cumulative sums along the rows do the rest: the cost is that of the edges, not of the area.

    Depth is linear between the corners of a triangle, which is exact for a parallel beam and otherwise off by
    at most (extent of the triangle along z)^2 / (4 distance).

    Args:
        vertices_mm: N x 3 points (x, y, z), in front of the source.
        topology: triangles of ``vertices_mm``, counter-clockwise seen from outside, and their edges.
        beam: position of the source.
        mm_to_px: 2 x 3 similarity transform from mm in the plane of the spine to (x, y) in px, pixel
            centres at integers; it may flip.
        size_px: (height, width) of the result.
        weights: M factors of the triangles, the same all over a closed surface; None for 1.

    Returns:
        H x W float32 path length in mm at the pixel centres, times the weights. Negative where a surface is
        inside out.
    """
    plane = beam.onto_plane(vertices_mm) @ mm_to_px[:, :2].T + mm_to_px[:, 2]
    x, y, z = plane[:, 0], plane[:, 1], np.asarray(vertices_mm, dtype=np.float64)[:, 2]
    factor = np.full(len(topology.triangles), np.sign(np.linalg.det(mm_to_px[:, :2])))
    if weights is not None:
        factor *= weights
    depth = _sum_rows(_edges(x, y, z, topology, factor), size_px)
    return np.asarray(depth * _obliquity(beam, mm_to_px, size_px), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Edges:
    """Edges of a projected surface and the change of depth from left to right of them.

    The change at (x, y) is ``value + (x - x0) * slope_x + (y - y0) * slope_y``. All are float64 of length E.
    """

    x0: np.ndarray
    y0: np.ndarray
    x1: np.ndarray
    y1: np.ndarray
    value: np.ndarray
    slope_x: np.ndarray
    slope_y: np.ndarray


def _edges(x: np.ndarray, y: np.ndarray, z: np.ndarray, topology: Topology, factor: np.ndarray) -> _Edges:
    """Sum the planes of the triangles at each edge; ``y0 <= y1`` at all of them."""
    slope_x, slope_y, seen = _slopes(x, y, z, topology.triangles)
    first, second = topology.edges.T
    count = len(first)
    # A triangle is right of its upward sides and left of its downward sides, or the reverse from behind.
    down = y[first] <= y[second]
    upper, lower = np.where(down, first, second), np.where(down, second, first)
    direction = np.where(down, -1.0, 1.0)
    sign = topology.forward * np.tile(factor * seen, 3)
    value, along_x, along_y = (
        direction * np.bincount(topology.edge_of, weights=weights, minlength=count)
        for weights in (sign, sign * np.tile(slope_x, 3), sign * np.tile(slope_y, 3))
    )
    return _Edges(
        x0=x[upper],
        y0=y[upper],
        x1=x[lower],
        y1=y[lower],
        value=value * z[upper],
        slope_x=along_x,
        slope_y=along_y,
    )


def _slopes(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute dz/dx and dz/dy of each triangle, and 1.0 where it is not seen exactly edge-on."""
    a, b, c = triangles.T
    (x0, x1, x2), (y0, y1, y2), (z0, z1, z2) = ((axis[a], axis[b], axis[c]) for axis in (x, y, z))
    double_area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    seen = np.abs(double_area) > 1e-9
    safe = np.where(seen, double_area, np.inf)
    slope_x = ((z1 - z0) * (y2 - y0) - (z2 - z0) * (y1 - y0)) / safe
    slope_y = ((x1 - x0) * (z2 - z0) - (x2 - x0) * (z1 - z0)) / safe
    return slope_x, slope_y, seen.astype(np.float64)


def _sum_rows(edges: _Edges, size_px: tuple[int, int]) -> np.ndarray:
    """Add up the changes at all edges from left to right: H x W float64."""
    height, width = size_px
    top = np.clip(np.ceil(edges.y0), 0, height).astype(np.int64)
    count = np.clip(np.ceil(edges.y1), 0, height).astype(np.int64) - top
    # One entry per edge and row that it crosses.
    crossing = count > 0
    edges = _Edges(**{name: values[crossing] for name, values in vars(edges).items()})
    top, count = top[crossing], count[crossing]
    at = np.repeat(np.arange(len(count)), count)
    below = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count) + top[at] - edges.y0[at]
    per_row = (edges.x1 - edges.x0) / np.maximum(edges.y1 - edges.y0, 1e-12)
    beside = below * per_row[at]
    column = np.ceil(np.clip(edges.x0[at] + beside, 0, width))
    slope = edges.slope_x[at]
    value = edges.value[at] + (column - edges.x0[at]) * slope + below * edges.slope_y[at]
    row = np.rint(below + edges.y0[at])
    pixel = (row * (width + 2) + column).astype(np.int64)
    size = height * (width + 2)
    change = np.bincount(pixel, weights=value, minlength=size)
    # The value is that at the pixel itself, so the slope adds to it from the next one on.
    change[1:] += np.cumsum(
        np.bincount(pixel, weights=slope, minlength=size).reshape(height, -1), axis=1
    ).ravel()[:-1]
    depth: np.ndarray = np.cumsum(change.reshape(height, width + 2), axis=1)[:, :width]
    return depth


def _obliquity(beam: Beam, mm_to_px: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Compute the path length of each pixel's ray per mm of depth: H x W float64, at least 1."""
    height, width = size_px
    px_per_mm = np.hypot(mm_to_px[0, 0], mm_to_px[1, 0])
    x, y = mm_to_px[:, :2] @ np.asarray(beam.source_mm) + mm_to_px[:, 2]
    across = (np.arange(width) - x)[None] ** 2 + (np.arange(height) - y)[:, None] ** 2
    longer: np.ndarray = np.sqrt(1.0 + across / (px_per_mm * beam.distance_mm) ** 2)
    return longer
