"""Smooth change of a bone's shape, and its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cervseg.phantom.mesh_landmarks import VertebraLandmarks
from cervseg.phantom.solid import Pose

# Over this distance from the midsagittal plane, the laminae take over from the spinous process.
_PROCESS_HALF_WIDTH_MM = 12.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Waves:
    """A smooth displacement field, a sum of K sine waves.

    Args:
        per_mm: K x 3 wave vectors in radians per mm.
        phases: K phases in radians.
        amplitudes_mm: K x 3 displacements (x, y, z).
    """

    per_mm: np.ndarray
    phases: np.ndarray
    amplitudes_mm: np.ndarray

    def displace(self, points_mm: np.ndarray) -> np.ndarray:
        """Displace N x 3 points in mm; returns N x 3 float64."""
        moved: np.ndarray = points_mm + np.sin(points_mm @ self.per_mm.T + self.phases) @ self.amplitudes_mm
        return moved


def draw_waves(rng: np.random.Generator, *, amplitude_mm: float, length_mm: tuple[float, float]) -> Waves:
    """Draw a displacement field.

    Args:
        rng: random generator.
        amplitude_mm: standard deviation of the displacement along each axis.
        length_mm: shortest and longest wavelength.
    """
    count = 6
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    shortest, longest = np.log(length_mm)
    lengths = np.exp(rng.uniform(float(shortest), float(longest), size=(count, 1)))
    return Waves(
        per_mm=directions * (2 * np.pi / lengths),
        phases=rng.uniform(0, 2 * np.pi, size=count),
        amplitudes_mm=rng.standard_normal((count, 3)) * amplitude_mm * np.sqrt(2.0 / count),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """Change of a vertebra's shape in local axes (x posterior, y inferior, z right).

    Args:
        scale: factors along x, y and z.
        canal_shift_mm: shift of everything behind the canal.
        stretch: factor of the length of the process.
        thickness: factors of the height and the width of the process.
        bend_deg: rotation of the process, downwards.
        spur_mm: length of the anterior osteophytes.
        waves: displacement field.
    """

    scale: tuple[float, float, float]
    canal_shift_mm: float
    stretch: float
    thickness: tuple[float, float]
    bend_deg: float
    spur_mm: float
    waves: Waves

    def apply(self, points_mm: np.ndarray, landmarks: VertebraLandmarks) -> np.ndarray:
        """Change N x 3 local points; returns N x 3 float64."""
        x, y, z = (np.asarray(points_mm, dtype=np.float64) * self.scale).T
        w, h = landmarks.body_width_mm / 2 * self.scale[0], landmarks.body_height_mm / 2 * self.scale[1]
        x0, y0 = np.multiply(landmarks.spinolaminar_mm, self.scale[:2])
        x, y, z = self._process(x - x0, y - y0, z, landmarks)
        x, y = x + x0, y + y0
        x = x + self.canal_shift_mm * _ramp((x - w) / max(x0 - w, 1.0))
        for corner in (-h, h):
            lip = np.exp(-((x + w) ** 2 + (y - corner) ** 2) / (2 * 2.2**2) - (z / 12.0) ** 2)
            x = x - self.spur_mm * lip
        return self.waves.displace(np.stack([x, y, z], axis=1))

    def _process(
        self, x: np.ndarray, y: np.ndarray, z: np.ndarray, landmarks: VertebraLandmarks
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Stretch, thicken and bend the process around the spinolaminar point, here the origin."""
        slope = np.deg2rad(landmarks.process_slope_deg)
        length = landmarks.process_length_mm * self.scale[0]
        along, across = x * np.cos(slope) + y * np.sin(slope), y * np.cos(slope) - x * np.sin(slope)
        share = _ramp((along + 0.1 * length) / (0.4 * length)) * np.exp(-((z / _PROCESS_HALF_WIDTH_MM) ** 4))
        longer = along + share * np.maximum(along, 0.0) * (self.stretch - 1.0)
        higher = across * (1.0 + share * (self.thickness[0] - 1.0))
        turn = slope + np.deg2rad(self.bend_deg) * share
        return (
            longer * np.cos(turn) - higher * np.sin(turn),
            longer * np.sin(turn) + higher * np.cos(turn),
            z * (1.0 + share * (self.thickness[1] - 1.0)),
        )


@dataclass(frozen=True, kw_only=True)
class Position:
    """Place of a bone: two rotations out of the plane around its origin, then a pose in the plane.

    Args:
        pose: rotation in the plane and translation.
        rotation_deg: axial rotation, around the y axis.
        tilt_deg: lateral tilt, around the x axis.
        z_mm: shift along the beam.
    """

    pose: Pose
    rotation_deg: float = 0.0
    tilt_deg: float = 0.0
    z_mm: float = 0.0

    def apply(self, points_mm: np.ndarray) -> np.ndarray:
        """Move N x 3 local points; returns N x 3 float64."""
        x, y, z = np.asarray(points_mm, dtype=np.float64).T
        turn, tilt = np.deg2rad(self.rotation_deg), np.deg2rad(self.tilt_deg)
        x, z = x * np.cos(turn) - z * np.sin(turn), x * np.sin(turn) + z * np.cos(turn)
        y, z = y * np.cos(tilt) - z * np.sin(tilt), y * np.sin(tilt) + z * np.cos(tilt)
        return np.column_stack([self.pose.apply(np.stack([x, y], axis=1)), z + self.z_mm])


@dataclass(frozen=True, kw_only=True, eq=False)
class VertebraPlacement:
    """From the frame of a vertebra's mesh to the patient.

    Args:
        landmarks: landmarks of the mesh.
        shape: change of the shape.
        position: place of the centre of the body.
    """

    landmarks: VertebraLandmarks
    shape: Shape
    position: Position

    def apply(self, points_mm: np.ndarray) -> np.ndarray:
        """Map N x 3 points of the mesh; returns N x 3 float64."""
        return self.apply_local(self.landmarks.to_local(points_mm))

    def apply_local(self, points_mm: np.ndarray) -> np.ndarray:
        """Map N x 3 points in the local axes of the mesh; returns N x 3 float64."""
        return self.position.apply(self.shape.apply(points_mm, self.landmarks))


@dataclass(frozen=True, kw_only=True, eq=False)
class RigidPlacement:
    """From the frame of the meshes to the patient, for the bones around the spine.

    Args:
        origin_mm: point (x, y, z) of the meshes that is moved to the position.
        angle_deg: in-plane rotation that makes the meshes upright in local axes.
        scale: factor of the size.
        waves: displacement field.
        position: place of the origin.
        hinge_mm: point (x, y) around which the bone is rotated first, relative to the origin, in mesh size.
        hinge_deg: angle of that rotation.
    """

    origin_mm: tuple[float, float, float]
    angle_deg: float
    scale: float
    waves: Waves
    position: Position
    hinge_mm: tuple[float, float] = (0.0, 0.0)
    hinge_deg: float = 0.0

    def apply(self, points_mm: np.ndarray) -> np.ndarray:
        """Map N x 3 points of the mesh; returns N x 3 float64."""
        points = np.asarray(points_mm, dtype=np.float64) - self.origin_mm
        hinge = Pose(x_mm=self.hinge_mm[0], y_mm=self.hinge_mm[1], angle_deg=self.hinge_deg)
        upright = Pose(x_mm=0.0, y_mm=0.0, angle_deg=-self.angle_deg)
        xy = upright.apply(hinge.apply(points[:, :2] - self.hinge_mm))
        local = np.column_stack([xy, points[:, 2]]) * self.scale
        return self.position.apply(self.waves.displace(local))


def _ramp(share: np.ndarray) -> np.ndarray:
    """Rise smoothly from 0 at 0 to 1 at 1 (smoothstep)."""
    clipped = np.clip(share, 0.0, 1.0)
    rise: np.ndarray = clipped * clipped * (3.0 - 2.0 * clipped)
    return rise
