"""Masks and landmarks of a patient whose bones are surfaces, projected from the surfaces."""

from __future__ import annotations

import cv2
import numpy as np

from cervseg.phantom.anatomy import BODY_LEVELS, LEVELS
from cervseg.phantom.masks import ANATOMY
from cervseg.phantom.mesh_landmarks import VertebraLandmarks
from cervseg.phantom.mesh_patient import MeshPatient, Region
from cervseg.phantom.mesh_projection import Topology, join, path_length
from cervseg.phantom.mesh_render import fragments
from cervseg.phantom.mesh_set import SKULL_FMA
from cervseg.phantom.view import View

_OVERSAMPLING = 2
# A solid that is thinner along the beam than this leaves no visible edge.
_THINNEST_MM = 0.1
_THINNEST_PART_MM = 0.6
_SLIVER_MM = 0.45
_PROCESS_HALF_WIDTH_MM, _BODY_HALF_WIDTH_MM = 8.0, 10.0


def mesh_process_masks(patient: MeshPatient, view: View) -> dict[str, np.ndarray]:
    """Project the processes of C1 to C7: "C1".."C7" -> H x W uint8 {0, 1}."""
    return {
        level: region_mask(patient, level, "process", mm_to_px=view.mm_to_px(), size_px=view.size_px)
        for level in LEVELS
    }


def mesh_anatomy_masks(patient: MeshPatient, view: View) -> dict[str, np.ndarray]:
    """Project the bones beside the processes of C1 to C7.

    Returns:
        The names of :data:`~cervseg.phantom.masks.ANATOMY` -> H x W uint8 {0, 1}, with the same meaning.
    """
    masks = {name: np.zeros(view.size_px, dtype=np.uint8) for name in ANATOMY}
    regions: list[tuple[str, Region, tuple[str, ...]]] = [
        ("thoracic", "process", ("T1", "T2")),
        ("vertebral_body", "body", (*BODY_LEVELS, "T1", "T2")),
        ("arch", "arch", (*LEVELS, "T1", "T2")),
    ]
    for name, region, levels in regions:
        for level in levels:
            mask = region_mask(patient, level, region, mm_to_px=view.mm_to_px(), size_px=view.size_px)
            np.maximum(masks[name], mask, out=masks[name])
    for name, bones in (("skull", tuple(SKULL_FMA)), ("jaw", ("mandible",))):
        masks[name] = bones_mask(patient, bones, mm_to_px=view.mm_to_px(), size_px=view.size_px)
    return masks


def mesh_landmarks(patient: MeshPatient, view: View) -> dict[str, tuple[float, float]]:
    """Project all landmarks: name as in :class:`~cervseg.phantom.radiograph.PhantomImage` -> (x, y) in px."""
    named: dict[str, tuple[float, float]] = {}
    for level in BODY_LEVELS:
        points = landmarks_mm(patient, level)
        for name, point in points.items():
            if (level != "C2" and name == "centroid") or (level == "C2" and name.startswith("top")):
                continue
            named[f"{level} {name}"] = point
    matrix = view.mm_to_px()
    placed = np.array(list(named.values())) @ matrix[:, :2].T + matrix[:, 2]
    return {name: (float(x), float(y)) for name, (x, y) in zip(named, placed)}


def landmarks_mm(patient: MeshPatient, level: str) -> dict[str, tuple[float, float]]:
    """Project the landmarks of a vertebra onto the plane of the spine.

    Args:
        patient: the bones.
        level: "C1" to "T2".

    Returns:
        'centroid' and corners of the body, 'top left' to 'bottom right' (left is anterior), 'spinous tip' and
        'spinolaminar' -> (x, y) in mm.
    """
    landmarks = patient.meshes.landmarks[level]
    points = {
        "centroid": (0.0, 0.0),
        **landmarks.corners_mm,
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


def region_mask(
    patient: MeshPatient, level: str, region: Region, *, mm_to_px: np.ndarray, size_px: tuple[int, int]
) -> np.ndarray:
    """Project a part of a vertebra.

    The process is what lies behind the plane through the spinolaminar line, the body what lies in front of
    its posterior wall, the arch what is between; C1 has no body, all but its process is arch.

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
        points = landmarks.cut(points, line, landmarks.wall_deg)
        points = _middle_part(landmarks, points, _PROCESS_HALF_WIDTH_MM)
    elif region == "body":
        points = landmarks.cut(points, wall, 180.0)
        points = _middle_part(landmarks, points, _BODY_HALF_WIDTH_MM)
    else:
        if level != "C1":
            points = landmarks.cut(points, wall, 0.0)
        points = landmarks.cut(points, line, landmarks.wall_deg + 180.0)
    pieces = fragments(patient, level, points)
    return _silhouette(
        patient,
        pieces,
        patient.meshes[level].topology,
        mm_to_px=mm_to_px,
        size_px=size_px,
        cut=True,
    )


def bones_mask(
    patient: MeshPatient, bones: tuple[str, ...], *, mm_to_px: np.ndarray, size_px: tuple[int, int]
) -> np.ndarray:
    """Project whole bones, those of them that there are: H x W uint8 {0, 1}."""
    surfaces = [
        (piece, patient.meshes[bone].topology)
        for bone in bones
        if bone in patient.placements
        for piece in fragments(patient, bone, patient.meshes[bone].vertices_mm)
    ]
    vertices, topology = join(surfaces)
    return _silhouette(patient, [vertices], topology, mm_to_px=mm_to_px, size_px=size_px, cut=False)


def _middle_part(landmarks: VertebraLandmarks, points_mm: np.ndarray, half_width_mm: float) -> np.ndarray:
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
        n = _OVERSAMPLING if cut else 1
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
