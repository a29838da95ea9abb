"""Attenuation of a patient whose bones are surfaces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cervseg.phantom.anatomy import Anatomy
from cervseg.phantom.mesh_patient import MeshPatient, coefficients_per_mm, shell_mm
from cervseg.phantom.mesh_projection import Topology, join, path_length
from cervseg.phantom.solid import Pose, Solid, ellipse

# Modulation by the texture, and the attenuation at which it is halved.
_GRAIN, _AVERAGED = 0.15, 0.6
# A clay-shoveler's fracture: place along the process, and angle of the cut.
_FRACTURE_SHARE, _FRACTURE_DEG = 0.58, 20.0
_SOFT_PARTS = ("neck", "shoulders", "airway", "cartilage", "implant")
# The teeth belong to the outlines' head; this shift (mm, axes of the head) brings them between the jaws.
_TEETH_SHIFT_MM = (4.0, 24.0)
_BRAIN_DEPTH_MM, _BRAIN_PER_MM = 150.0, 0.0034


def parts_beside_bones(anatomy: Anatomy) -> dict[str, list[Solid]]:
    """List the solids of a patient beside the bones that surfaces replace: tissue, brain, teeth, implant.

    Args:
        anatomy: the patient.

    Returns:
        Name of the part -> its solids, as in :meth:`~cervseg.phantom.anatomy.Anatomy.parts`.
    """
    parts = {name: part for name, part in anatomy.parts().items() if name in _SOFT_PARTS}
    head, scale = anatomy.skull.pose, anatomy.skull.scale
    x, y = head.apply(np.array([_TEETH_SHIFT_MM]) * scale)[0]
    lower = replace(anatomy.skull, pose=Pose(x_mm=float(x), y_mm=float(y), angle_deg=head.angle_deg))
    parts["head teeth"] = lower.parts()["teeth"]
    outline = head.apply(ellipse(25.0, -88.0, 92.0, 82.0) * scale)
    parts["head brain"] = [
        Solid(
            outline_mm=outline,
            depth_mm=_BRAIN_DEPTH_MM,
            edge_mm=48.0,
            inside_per_mm=_BRAIN_PER_MM,
            coarse=True,
        )
    ]
    return parts


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
            if surface is outer and not _on_canvas(patient, pieces, mm_to_px, size_px):
                break
            surfaces += [(piece, mesh.topology) for piece in pieces]
            weights += [np.full(len(mesh.triangles), patient.sign * weight)] * len(pieces)
    if not surfaces:
        return np.zeros(size_px, dtype=np.float32)
    vertices, topology = join(surfaces)
    return path_length(
        vertices,
        topology,
        beam=patient.beam,
        mm_to_px=mm_to_px,
        size_px=size_px,
        weights=np.concatenate(weights),
    )


def _on_canvas(
    patient: MeshPatient, pieces: list[np.ndarray], mm_to_px: np.ndarray, size_px: tuple[int, int]
) -> bool:
    """Test whether the bounding box of a projected bone reaches into the image."""
    points = patient.beam.onto_plane(np.concatenate(pieces)) @ mm_to_px[:, :2].T + mm_to_px[:, 2]
    return bool(np.all(points.max(axis=0) >= 0) and np.all(points.min(axis=0) < size_px[::-1]))


def add_bones(
    attenuation: np.ndarray, patient: MeshPatient, *, mm_to_px: np.ndarray, texture: np.ndarray
) -> None:
    """Add the attenuation of all bones to an image.

    Args:
        attenuation: H x W float32, changed in place.
        patient: the bones and the beam.
        mm_to_px: 2 x 3 similarity transform from mm in the plane of the spine to (x, y) in px.
        texture: H x W float32 with mean 0.
    """
    bones = mesh_attenuation(patient, mm_to_px=mm_to_px, size_px=(attenuation.shape[0], attenuation.shape[1]))
    # Many trabeculae behind each other average out.
    grain = np.float32(_GRAIN) / (1.0 + np.maximum(bones, 0.0) / np.float32(_AVERAGED))
    attenuation += bones * (1.0 + grain * texture)


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
    tip_side = landmarks.cut(points_mm, cut, direction)
    tip_side = patient.place(bone, tip_side)
    tip_side[:, :2] += target.fracture_mm
    return [patient.place(bone, landmarks.cut(points_mm, cut, direction + 180.0)), tip_side]
