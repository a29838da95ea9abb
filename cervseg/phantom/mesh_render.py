"""Attenuation, masks and landmarks of a patient whose bones are surfaces."""

from __future__ import annotations

import cv2
import numpy as np

from cervseg.phantom.mesh_landmarks import VertebraLandmarks
from cervseg.phantom.mesh_patient import MeshPatient, Region, coefficients_per_mm, shell_mm
from cervseg.phantom.mesh_projection import Topology, join, path_length

_OVERSAMPLING = 2
# A solid that is thinner along the beam than this leaves no visible edge.
_THINNEST_MM = 0.1
_THINNEST_PART_MM = 0.6
_SLIVER_MM = 0.45
_PROCESS_HALF_WIDTH_MM, _BODY_HALF_WIDTH_MM = 11.0, 10.0
# A clay-shoveler's fracture: place along the process, and angle of the cut.
_FRACTURE_SHARE, _FRACTURE_DEG = 0.58, 20.0


def mesh_attenuation(patient: MeshPatient, *, mm_to_px: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Compute the attenuation of all bones, without texture.

    The cortex is the solid between the surface and a second one, inside it along the normals of the vertices.

    Args:
        patient: the bones and the beam.
        mm_to_px: 2 x 3 similarity transform from mm in the plane of the spine to (x, y) in px.
        size_px: (height, width) of the result.

    Returns:
        H x W float32, no unit: the excess over soft tissue.
    """
    surfaces: list[tuple[np.ndarray, Topology]] = []
    weights: list[np.ndarray] = []
    for bone in patient.placements:
        mesh = patient.meshes[bone]
        outer = mesh.vertices_mm
        inner = outer - mesh.normals * np.reshape(shell_mm(patient, bone), (-1, 1))
        shell, inside = coefficients_per_mm(patient, bone)
        for surface, weight in ((outer, shell), (inner, inside - shell)):
            pieces = fragments(patient, bone, surface)
            surfaces += [(piece, mesh.topology) for piece in pieces]
            weights += [np.full(len(mesh.triangles), patient.sign * weight)] * len(pieces)
    vertices, topology = join(surfaces)
    return path_length(
        vertices,
        topology,
        beam=patient.beam,
        mm_to_px=mm_to_px,
        size_px=size_px,
        weights=np.concatenate(weights),
    )


def fragments(patient: MeshPatient, bone: str, points_mm: np.ndarray) -> list[np.ndarray]:
    """Place the vertices of a surface: one closed surface, or two if the process is fractured.

    Args:
        patient: the bones.
        bone: name of the bone.
        points_mm: N x 3 vertices in the frame of the meshes.

    Returns:
        One or two N x 3 float64 arrays of vertices in the patient.
    """
    target = patient.targets.get(bone)
    if target is None or target.fracture_mm is None:
        return [patient.place(bone, points_mm)]
    landmarks = patient.meshes.landmarks[bone]
    base, tip = np.asarray(landmarks.spinolaminar_mm), np.asarray(landmarks.tip_mm)
    cut, direction = base + _FRACTURE_SHARE * (tip - base), landmarks.process_slope_deg + _FRACTURE_DEG
    tip_side = _clamp(landmarks, points_mm, cut, direction)
    tip_side = patient.place(bone, tip_side)
    tip_side[:, :2] += target.fracture_mm
    return [patient.place(bone, _clamp(landmarks, points_mm, cut, direction + 180.0)), tip_side]


def region_mask(
    patient: MeshPatient, level: str, region: Region, *, mm_to_px: np.ndarray, size_px: tuple[int, int]
) -> np.ndarray:
    """Project a part of a vertebra.

    The process is what lies behind the plane through the spinolaminar line, the body what lies in front of
    its posterior wall, the arch what is between.

    Args:
        patient: the bones.
        level: "C1" to "T2".
        region: part of the vertebra.
        mm_to_px: 2 x 3 similarity transform from mm in the plane of the spine to (x, y) in px.
        size_px: (height, width) of the mask.

    Returns:
        H x W uint8, 1 where the part covers at least half of the pixel.
    """
    landmarks = patient.meshes.landmarks[level]
    points, line = patient.meshes[level].vertices_mm, np.asarray(landmarks.spinolaminar_mm)
    wall = np.array([landmarks.body_width_mm / 2, 0.0])
    if region == "process":
        points = _clamp(landmarks, points, line, landmarks.wall_deg)
        points = _clamp_sides(landmarks, points, _PROCESS_HALF_WIDTH_MM)
    elif region == "body":
        points = _clamp(landmarks, points, wall, 180.0)
        points = _clamp_sides(landmarks, points, _BODY_HALF_WIDTH_MM)
    else:
        points = _clamp(landmarks, points, wall, 0.0)
        points = _clamp(landmarks, points, line, landmarks.wall_deg + 180.0)
    pieces = fragments(patient, level, points)
    return _silhouette(
        patient,
        pieces,
        patient.meshes[level].topology,
        mm_to_px=mm_to_px,
        size_px=size_px,
        cut=True,
    )


def bone_mask(
    patient: MeshPatient, bone: str, *, mm_to_px: np.ndarray, size_px: tuple[int, int]
) -> np.ndarray:
    """Project a whole bone: H x W uint8, 1 where it covers at least half of the pixel."""
    pieces = fragments(patient, bone, patient.meshes[bone].vertices_mm)
    return _silhouette(
        patient,
        pieces,
        patient.meshes[bone].topology,
        mm_to_px=mm_to_px,
        size_px=size_px,
        cut=False,
    )


def landmarks_mm(patient: MeshPatient, level: str) -> dict[str, tuple[float, float]]:
    """Project the landmarks of C2 to T2 onto the plane of the spine.

    Args:
        patient: the bones.
        level: "C1" to "T2".

    Returns:
        'spinous tip', 'spinolaminar', 'centroid' and the corners of the body, 'top left' to 'bottom right',
        -> (x, y) in mm; left is anterior.
    """
    landmarks = patient.meshes.landmarks[level]
    half_width, half_height = landmarks.body_width_mm / 2, landmarks.body_height_mm / 2
    points = {
        "centroid": (0.0, 0.0),
        "top left": (-half_width, -half_height),
        "top right": (half_width, -half_height),
        "bottom left": (-half_width, half_height),
        "bottom right": (half_width, half_height),
        "spinolaminar": landmarks.spinolaminar_mm,
        "spinous tip": landmarks.tip_mm,
    }
    local = np.array(list(points.values()))
    flat = np.column_stack([landmarks.pose.apply(local), np.full(len(local), landmarks.middle_mm)])
    placed = patient.place(level, flat)
    target = patient.targets.get(level)
    if target is not None and target.fracture_mm is not None:
        placed[-1, :2] += target.fracture_mm
    return {name: (float(x), float(y)) for name, (x, y) in zip(points, patient.beam.onto_plane(placed))}


def _clamp(
    landmarks: VertebraLandmarks, points_mm: np.ndarray, at_mm: np.ndarray, direction_deg: float
) -> np.ndarray:
    """Push points onto a plane that they lie behind: a closed surface becomes that of the solid before it.

    Args:
        landmarks: landmarks with the local axes.
        points_mm: N x 3 points in the frame of the mesh.
        at_mm: point (x, y) of the plane in local axes.
        direction_deg: direction towards the kept part in local axes, x towards y.
    """
    local = landmarks.to_local(points_mm)
    angle = np.deg2rad(direction_deg)
    normal = np.array([np.cos(angle), np.sin(angle)])
    before = (local[:, :2] - at_mm) @ normal
    local[:, :2] -= np.minimum(before, 0.0)[:, None] * normal
    return np.column_stack([landmarks.pose.apply(local[:, :2]), points_mm[:, 2]])


def _clamp_sides(landmarks: VertebraLandmarks, points_mm: np.ndarray, half_width_mm: float) -> np.ndarray:
    """Keep the part of a solid near the midsagittal plane."""
    clamped = np.array(points_mm)
    clamped[:, 2] = np.clip(
        clamped[:, 2], landmarks.middle_mm - half_width_mm, landmarks.middle_mm + half_width_mm
    )
    return clamped


def _silhouette(
    patient: MeshPatient,
    pieces: list[np.ndarray],
    topology: Topology,
    *,
    mm_to_px: np.ndarray,
    size_px: tuple[int, int],
    cut: bool,
) -> np.ndarray:
    """Rasterize the projection of closed surfaces: H x W uint8 {0, 1}."""
    mask = np.zeros(size_px, dtype=np.uint8)
    for piece in pieces:
        points = patient.beam.onto_plane(piece) @ mm_to_px[:, :2].T + mm_to_px[:, 2]
        low = np.maximum(np.floor(points.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 2, size_px[::-1])
        if np.any(high <= low):
            continue
        n = _OVERSAMPLING
        fine = np.array(mm_to_px) * n
        fine[:, 2] += (n - 1) / 2 - low * n
        width, height = (int(side) for side in high - low)
        depth = path_length(
            piece, topology, beam=patient.beam, mm_to_px=fine, size_px=(height * n, width * n)
        )
        thinnest_mm = _THINNEST_PART_MM if cut else _THINNEST_MM
        filled = (patient.sign * depth > thinnest_mm).astype(np.uint8)
        solid = _largest_part(filled, fine) if cut else filled
        cover = cv2.resize(solid.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        window = mask[low[1] : high[1], low[0] : high[0]]
        np.maximum(window, (cover >= 0.5).astype(np.uint8), out=window)
    return mask


def _largest_part(filled: np.ndarray, mm_to_px: np.ndarray) -> np.ndarray:
    """Drop slivers, which the warped plane of a cut leaves, and everything that hangs on them only."""
    radius = max(round(_SLIVER_MM * float(np.hypot(*mm_to_px[:, 0]))), 1)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    opened = cv2.morphologyEx(filled, cv2.MORPH_OPEN, brush)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return filled
    largest: np.ndarray = (parts == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
    return largest
