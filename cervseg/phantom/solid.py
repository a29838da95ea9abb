"""A solid that attenuates X-rays, given by its projected outline and its depth along the beam."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import cv2
import numpy as np

# Linear attenuation at about 60 keV in 1/mm; solids inside the neck have the excess over soft tissue.
SOFT_TISSUE_PER_MM = 0.020
CORTICAL_BONE_PER_MM = 0.075
CANCELLOUS_BONE_PER_MM = 0.021
TITANIUM_PER_MM = 0.45
_SUBPIXEL_BITS = 6
_TURN = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
_UNIT_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Solid:
    """A smooth solid with an optional shell; a cavity if the coefficients are negative.

    Args:
        outline_mm: N x 2 float64 points (x, y) of the closed, projected outline.
        depth_mm: path length of the beam far from the outline.
        edge_mm: distance from the outline over which the path length increases, as at a rounded edge.
        shell_mm: thickness of the shell (the cortex); 0 for none.
        shell_per_mm: linear attenuation coefficient of the shell in 1/mm.
        inside_per_mm: linear attenuation coefficient of the inside in 1/mm.
        grain: modulation of both coefficients by the texture, in [0, 1].
        coarse: the solid is smooth enough to be rendered at a third of the resolution.
        wedge: the path length increases smoothly (smoothstep), not as at a rounded edge.
    """

    outline_mm: np.ndarray
    depth_mm: float
    edge_mm: float
    shell_mm: float = 0.0
    shell_per_mm: float = CORTICAL_BONE_PER_MM
    inside_per_mm: float = CANCELLOUS_BONE_PER_MM
    grain: float = 0.0
    coarse: bool = False
    wedge: bool = False

    def moved(self, pose: Pose) -> Solid:
        """Return a copy of the solid with its outline transformed by ``pose``."""
        return replace(self, outline_mm=pose.apply(self.outline_mm))


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A rigid transform in the image plane: rotation, then translation.

    Args:
        x_mm: translation in x.
        y_mm: translation in y.
        angle_deg: rotation, x towards y.
    """

    x_mm: float
    y_mm: float
    angle_deg: float

    def apply(self, points_mm: np.ndarray) -> np.ndarray:
        """Transform N x 2 local points (x posterior, y inferior, in mm); returns N x 2 float64."""
        angle = np.deg2rad(self.angle_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        moved: np.ndarray = np.asarray(points_mm, dtype=np.float64) @ turn + (self.x_mm, self.y_mm)
        return moved


def smooth_outline(points_mm: np.ndarray | list[tuple[float, float]], *, num_between: int = 8) -> np.ndarray:
    """Interpolate points by a closed Catmull-Rom curve.

    Args:
        points_mm: N x 2 points (x, y).
        num_between: number of rows of the result per point.

    Returns:
        (N * num_between) x 2 float64; point i is row ``i * num_between``.
    """
    points = np.asarray(points_mm, dtype=np.float64)
    count = len(points)
    around = np.arange(-1, count + 2) % count
    ring = points[around]
    steps = ring[1:] - ring[:-1]
    lengths = np.sqrt((steps * steps).sum(axis=1, keepdims=True))
    # Tangents are scaled by the lengths of both neighbours, so unevenly spaced points make no loops.
    slopes = (steps[:-1] + steps[1:]) / np.maximum(lengths[:-1] + lengths[1:], 1e-6)
    step = lengths[1:-1]
    known = np.stack([points, slopes[:-1] * step, ring[2:-1], slopes[1:] * step], axis=1)
    outline: np.ndarray = (_hermite(num_between) @ known).reshape(-1, 2)
    return outline


@functools.cache
def _hermite(num_between: int) -> np.ndarray:
    """Compute the cubic Hermite basis at ``num_between`` positions in [0, 1): num_between x 4."""
    t = np.linspace(0.0, 1.0, num_between, endpoint=False)
    return np.stack([2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t, -2 * t**3 + 3 * t**2, t**3 - t**2], axis=1)


def ellipse(x_mm: float, y_mm: float, rx_mm: float, ry_mm: float, *, angle_deg: float = 0.0) -> np.ndarray:
    """Compute the outline of an ellipse.

    Args:
        x_mm: centre, x.
        y_mm: centre, y.
        rx_mm: semi-axis along x before the rotation.
        ry_mm: semi-axis along y before the rotation.
        angle_deg: rotation, x towards y.

    Returns:
        40 x 2 float64.
    """
    return Pose(x_mm=x_mm, y_mm=y_mm, angle_deg=angle_deg).apply(_UNIT_CIRCLE * (rx_mm, ry_mm))


def bone(
    outline_mm: np.ndarray,
    *,
    depth_mm: float,
    edge_mm: float,
    shell_mm: float,
    density: float,
    grain: float = 0.12,
) -> Solid:
    """Create a bone: a cortex around trabecular bone.

    Args:
        outline_mm: N x 2 points (x, y) of the closed, projected outline.
        depth_mm: see :class:`Solid`.
        edge_mm: see :class:`Solid`.
        shell_mm: thickness of the cortex.
        density: bone density, 1 for a healthy adult; it affects trabecular bone more than the cortex.
        grain: see :class:`Solid`.
    """
    return Solid(
        outline_mm=outline_mm,
        depth_mm=depth_mm,
        edge_mm=edge_mm,
        shell_mm=shell_mm,
        shell_per_mm=CORTICAL_BONE_PER_MM * (0.4 + 0.6 * density),
        inside_per_mm=CANCELLOUS_BONE_PER_MM * density,
        grain=grain,
    )


def band(line_mm: list[tuple[float, float]], widths_mm: list[float]) -> np.ndarray:
    """Compute the smooth outline of a band around a line.

    Args:
        line_mm: N points (x, y) along the middle of the band.
        widths_mm: width of the band at each of the N points.

    Returns:
        M x 2 float64.
    """
    line = np.asarray(line_mm, dtype=np.float64)
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) * np.asarray(widths_mm)[:, None] / 2
    return smooth_outline(np.concatenate([line + across, (line - across)[::-1]]))


def clip_outline(outline: np.ndarray, point: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Clip a closed outline to a half-plane (Sutherland-Hodgman).

    Args:
        outline: N x 2 points (x, y).
        point: (x, y) on the edge of the half-plane.
        normal: direction (x, y) into the half-plane.

    Returns:
        M x 2 float64; empty if the outline is outside.
    """
    side = (outline - point) @ normal
    kept: list[np.ndarray] = []
    for i, (here, there) in enumerate(zip(side, np.roll(side, -1))):
        following = outline[(i + 1) % len(outline)]
        if here >= 0:
            kept.append(outline[i])
        if (here >= 0) != (there >= 0):
            kept.append(outline[i] + (following - outline[i]) * here / (here - there))
    return np.array(kept)


def add_solid(
    attenuation: np.ndarray, solid: Solid, *, mm_to_px: np.ndarray, texture: np.ndarray | None = None
) -> None:
    """Add the attenuation of a solid (coefficient times path length, no unit) to an image.

    Args:
        attenuation: H x W float32, changed in place.
        solid: the solid, in mm.
        mm_to_px: 2 x 3 similarity transform from mm to (x, y) in px, pixel centres at integers.
        texture: H x W float32 with mean 0; None for no texture.
    """
    px_per_mm = float(np.hypot(mm_to_px[0, 0], mm_to_px[1, 0]))
    points = solid.outline_mm @ mm_to_px[:, :2].T + mm_to_px[:, 2]
    # Parts of the outline further outside the canvas than the edge width do not affect the pixels inside.
    margin = int(np.ceil(solid.edge_mm * px_per_mm)) + 2
    size = np.array(attenuation.shape[::-1])
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - 2, -margin)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 3, size + margin)
    inside_low, inside_high = np.maximum(low, 0), np.minimum(high, size)
    if np.any(inside_high <= inside_low):
        return
    inside = np.zeros((high - low)[::-1], dtype=np.uint8)
    fixed_point = np.round((points - low) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(inside, [fixed_point], 1, shift=_SUBPIXEL_BITS)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    (x0, y0), (x1, y1) = inside_low - low, inside_high - low
    window = np.s_[inside_low[1] : inside_high[1], inside_low[0] : inside_high[0]]
    distance_mm = distance[y0:y1, x0:x1] * (1.0 / px_per_mm)
    attenuation[window] += path_attenuation(solid, distance_mm, None if texture is None else texture[window])


def path_attenuation(solid: Solid, distance_mm: np.ndarray, texture: np.ndarray | None) -> np.ndarray:
    """Compute coefficient times path length at a distance inside the outline.

    At distance d from a rounded edge of radius R the path length is depth * sqrt(1 - (1 - d/R)^2). The path
    in the shell is the outer path minus the inner path; it is longest near the outline.

    Args:
        solid: the solid.
        distance_mm: float32 of any shape, at least 0.
        texture: float32 of the same shape with mean 0; None for no texture.

    Returns:
        float32 of the same shape, no unit.
    """
    inside_per_mm: np.ndarray | np.float32 = np.float32(solid.inside_per_mm)
    shell_per_mm: np.ndarray | np.float32 = np.float32(solid.shell_per_mm)
    if texture is not None and solid.grain > 0:
        inside_per_mm = texture * np.float32(solid.inside_per_mm * solid.grain) + inside_per_mm
        shell_per_mm = texture * np.float32(solid.shell_per_mm * solid.grain) + shell_per_mm
    growth = _soft if solid.wedge else _rounded
    outer = growth(distance_mm, solid.edge_mm) * np.float32(solid.depth_mm)
    if solid.shell_mm <= 0:
        return outer * inside_per_mm
    inner_depth = np.float32(max(solid.depth_mm - 2 * solid.shell_mm, 0.0))
    inner_edge = max(solid.edge_mm - solid.shell_mm, 0.1)
    inner = _rounded(distance_mm - np.float32(solid.shell_mm), inner_edge) * inner_depth
    return (outer - inner) * shell_per_mm + inner * inside_per_mm


def _rounded(distance_mm: np.ndarray, edge_mm: float) -> np.ndarray:
    """Relative path length at a rounded edge, in [0, 1]."""
    rest = np.clip(1.0 - distance_mm * np.float32(1.0 / edge_mm), 0.0, 1.0)
    chord: np.ndarray = np.sqrt(1.0 - rest * rest)
    return chord


def _soft(distance_mm: np.ndarray, edge_mm: float) -> np.ndarray:
    """Relative path length at a wedge (smoothstep), in [0, 1]."""
    share = np.clip(distance_mm * np.float32(1.0 / edge_mm), 0.0, 1.0)
    growth: np.ndarray = share * share * (np.float32(3.0) - np.float32(2.0) * share)
    return growth
