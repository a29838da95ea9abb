"""Landmarks of a vertebra, found in the midsagittal section of its surface."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.phantom.mesh import Mesh
from cervseg.phantom.mesh_projection import Beam, path_length
from cervseg.phantom.solid import Pose

_PX_PER_MM = 4.0
_SLAB_MM = 1.0
# Height of the C2 body as a fraction of the height of body and dens, as in the analytic vertebra.
_AXIS_BODY_SHARE = 0.5
_PARALLEL = Beam(source_mm=(0.0, 0.0), distance_mm=1e6)


@dataclass(frozen=True, kw_only=True)
class VertebraLandmarks:
    """Position, size and landmarks of a vertebra in the frame of its mesh.

    Args:
        pose: pose of the centre of the body; of the anterior arch for C1.
        middle_mm: z of the midsagittal plane.
        body_width_mm: anteroposterior width of the body.
        body_height_mm: height of the body; without the dens for C2.
        spinolaminar_mm: middle (x, y) of the spinolaminar line in local axes (:class:`Pose`).
        wall_deg: direction of the spinolaminar line, 0 for parallel to the local y axis; x towards y.
        tip_mm: tip (x, y) of the spinous process, of the posterior tubercle for C1, in local axes.
        top_mm: highest point (x, y) of the body in local axes, the tip of the dens for C2.
        corners_mm: 'top left', 'top right', 'bottom left', 'bottom right' -> corner of the body in local
            axes; left is anterior.
    """

    pose: Pose
    middle_mm: float
    body_width_mm: float
    body_height_mm: float
    spinolaminar_mm: tuple[float, float]
    wall_deg: float
    tip_mm: tuple[float, float]
    top_mm: tuple[float, float]
    corners_mm: dict[str, tuple[float, float]]

    @property
    def canal_mm(self) -> float:
        """Anteroposterior diameter of the spinal canal."""
        return self.spinolaminar_mm[0] - self.body_width_mm / 2

    @property
    def process_length_mm(self) -> float:
        """Length of the spinous process, from the spinolaminar line to the tip."""
        (x0, y0), (x1, y1) = self.spinolaminar_mm, self.tip_mm
        return float(np.hypot(x1 - x0, y1 - y0))

    @property
    def process_slope_deg(self) -> float:
        """Downward slope of the process relative to the body."""
        (x0, y0), (x1, y1) = self.spinolaminar_mm, self.tip_mm
        return float(np.rad2deg(np.arctan2(y1 - y0, x1 - x0)))

    def to_local(self, points_mm: np.ndarray) -> np.ndarray:
        """Map N x 3 points of the mesh to local axes (x posterior, y inferior, z right): N x 3 float64."""
        points = np.asarray(points_mm, dtype=np.float64)
        turn = Pose(x_mm=0.0, y_mm=0.0, angle_deg=-self.pose.angle_deg)
        xy = turn.apply(points[:, :2] - (self.pose.x_mm, self.pose.y_mm))
        return np.column_stack([xy, points[:, 2] - self.middle_mm])

    def cut(self, points_mm: np.ndarray, at_mm: np.ndarray, direction_deg: float) -> np.ndarray:
        """Push points that lie behind a plane onto it: a closed surface becomes that of the part before it.

        Args:
            points_mm: N x 3 points in the frame of the mesh.
            at_mm: point (x, y) of the plane in local axes.
            direction_deg: direction from the plane to the part that is kept, in local axes, x towards y.

        Returns:
            N x 3 float64 in the frame of the mesh.
        """
        local = self.to_local(points_mm)
        angle = np.deg2rad(direction_deg)
        normal = np.array([np.cos(angle), np.sin(angle)])
        before_mm = (local[:, :2] - at_mm) @ normal
        local[:, :2] -= np.minimum(before_mm, 0.0)[:, None] * normal
        return np.column_stack([self.pose.apply(local[:, :2]), points_mm[:, 2]])


def find_landmarks(level: str, mesh: Mesh) -> VertebraLandmarks:
    """Find the landmarks of a vertebra.

    The midsagittal section has two parts, the body and the spinous process (arches, for C1), with the canal
    between them. The spinolaminar line is the anterior edge of the posterior part.

    Args:
        level: "C1" to "T4".
        mesh: its surface, roughly upright and facing -x.

    Raises:
        DatasetError: the section does not consist of two parts.
    """
    middle = float(mesh.vertices_mm[:, 2].min() + mesh.vertices_mm[:, 2].max()) / 2
    front, back = _section(level, mesh, middle)
    pose, width, height = _axis_pose(front) if level == "C2" else _body_pose(front)
    if level == "C1":  # the rectangle around the small anterior arch has no direction
        pose = replace(pose, angle_deg=0.0)
    upright = Pose(x_mm=0.0, y_mm=0.0, angle_deg=-pose.angle_deg)
    front, back = (upright.apply(part - (pose.x_mm, pose.y_mm)) for part in (front, back))
    line, wall_deg = _spinolaminar(back)
    away = np.hypot(*(back - line).T)
    tip, top = back[away > away.max() - 1.5].mean(axis=0), front[np.argmin(front[:, 1])]
    return VertebraLandmarks(
        pose=pose,
        middle_mm=middle,
        body_width_mm=width,
        body_height_mm=height,
        spinolaminar_mm=(float(line[0]), float(line[1])),
        wall_deg=wall_deg,
        tip_mm=(float(tip[0]), float(tip[1])),
        top_mm=(float(top[0]), float(top[1])),
        corners_mm=_corners(front, width, height),
    )


def _section(level: str, mesh: Mesh, middle_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut the midsagittal section: points (x, y) in the anterior and in the posterior part, in mm."""
    slab = mesh.vertices_mm.astype(np.float64)
    # Clamped vertices leave the part of the solid within the slab, between two flat caps.
    slab[:, 2] = np.clip(slab[:, 2] - middle_mm, -_SLAB_MM, _SLAB_MM)
    low = slab[:, :2].min(axis=0) - 1.0
    size = np.ceil((slab[:, :2].max(axis=0) + 1.0 - low) * _PX_PER_MM).astype(int)
    matrix = np.column_stack([np.eye(2) * _PX_PER_MM, -low * _PX_PER_MM])
    depth = path_length(
        slab, mesh.topology, beam=_PARALLEL, mm_to_px=matrix, size_px=(int(size[1]), int(size[0]))
    )
    filled = (depth > _SLAB_MM).astype(np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(filled, connectivity=4)
    largest = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA])[:2]
    if count < 3 or stats[largest[1], cv2.CC_STAT_AREA] < 9 * _PX_PER_MM**2:
        hint = "the mesh must be a whole vertebra, x left, y posterior, z up, in mm"
        raise DatasetError(f"no spinal canal in the midsagittal section of {level}", hint=hint)
    points = [np.argwhere(parts == part)[:, ::-1] / _PX_PER_MM + low for part in largest]
    points.sort(key=lambda part: float(part[:, 0].mean()))
    return points[0], points[1]


def _body_pose(points: np.ndarray) -> tuple[Pose, float, float]:
    """Fit a rectangle to a body: pose, width and height."""
    (x, y), (width, height), angle = cv2.minAreaRect(points.astype(np.float32))
    while abs(angle) > 45.0:
        angle, width, height = angle - np.copysign(90.0, angle), height, width
    return Pose(x_mm=float(x), y_mm=float(y), angle_deg=float(angle)), float(width), float(height)


def _axis_pose(points: np.ndarray) -> tuple[Pose, float, float]:
    """Fit a rectangle to body and dens of C2: pose of the body, its width and height without the dens."""
    whole, _, height = _body_pose(points)
    local = Pose(x_mm=0.0, y_mm=0.0, angle_deg=-whole.angle_deg).apply(points - (whole.x_mm, whole.y_mm))
    body = _AXIS_BODY_SHARE * height
    low = local[local[:, 1] > height / 2 - 0.6 * body]
    left, right = low[:, 0].min(), low[:, 0].max()
    x, y = whole.apply(np.array([[(left + right) / 2, (height - body) / 2]]))[0]
    return Pose(x_mm=float(x), y_mm=float(y), angle_deg=whole.angle_deg), float(right - left), body


def _corners(points: np.ndarray, width_mm: float, height_mm: float) -> dict[str, tuple[float, float]]:
    """Find the points of a body, in local axes, that are nearest to the corners of its rectangle."""
    corners = {}
    for row, y in (("top", -height_mm / 2), ("bottom", height_mm / 2)):
        for column, x in (("left", -width_mm / 2), ("right", width_mm / 2)):
            nearest = points[np.argmin(np.hypot(*(points - (x, y)).T))]
            corners[f"{row} {column}"] = float(nearest[0]), float(nearest[1])
    return corners


def _spinolaminar(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Find middle and direction of the anterior edge of a process, in local axes."""
    rows = np.round(points[:, 1] * _PX_PER_MM).astype(int)
    edge = np.array([(points[rows == row, 0].min(), row / _PX_PER_MM) for row in np.unique(rows)])
    face = edge[edge[:, 0] < edge[:, 0].min() + 2.5]
    slope, _ = np.polyfit(face[:, 1], face[:, 0], 1)
    middle = face.mean(axis=0)
    return middle, float(np.clip(-np.rad2deg(np.arctan(slope)), -20.0, 20.0))
