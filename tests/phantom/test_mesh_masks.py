from __future__ import annotations

import numpy as np
import pytest

from cervseg.phantom.mesh_masks import bones_mask, landmarks_mm, region_mask
from cervseg.phantom.mesh_patient import MeshPatient
from cervseg.phantom.mesh_render import fragments
from cervseg.phantom.mesh_set import MeshSet
from tests.meshes import mesh_patient, standard_anatomy

PX_PER_MM = 2.0
MM_TO_PX = np.array([[PX_PER_MM, 0.0, 200.0], [0.0, PX_PER_MM, 180.0]])
SIZE_PX = (400, 420)


def _process(patient: MeshPatient, level: str) -> np.ndarray:
    return region_mask(patient, level, "process", mm_to_px=MM_TO_PX, size_px=SIZE_PX)


def test_spine_follows_thestandard_anatomy(meshes: MeshSet) -> None:
    """Bodies lie where the anatomy has them, and have its width."""
    anatomy = standard_anatomy()
    patient = mesh_patient(meshes, anatomy)
    for vertebra in anatomy.vertebrae:
        if vertebra.level in ("C1", "C2"):
            continue
        named = landmarks_mm(patient, vertebra.level)
        centre = np.array(named["centroid"])
        assert np.hypot(*(centre - (vertebra.pose.x_mm, vertebra.pose.y_mm))) < 2.0
        width = np.hypot(*np.subtract(named["top right"], named["top left"]))
        assert width == pytest.approx(vertebra.body_width_mm + vertebra.osteophyte_mm, abs=2.5)


def test_process_lies_behind_the_spinolaminar_line(meshes: MeshSet) -> None:
    """The mask of a process reaches from the spinolaminar landmark to the tip and no further."""
    patient = mesh_patient(meshes, standard_anatomy())
    for level in ("C1", "C3", "C5", "C7", "T1"):
        named = landmarks_mm(patient, level)
        rows, columns = np.nonzero(_process(patient, level))
        points = (np.stack([columns, rows], axis=1) - MM_TO_PX[:, 2]) / PX_PER_MM
        tip, line = np.array(named["spinous tip"]), np.array(named["spinolaminar"])
        assert np.hypot(*(points - line).T).min() < 1.5
        assert points[:, 0].min() > line[0] - 4.0
        assert np.hypot(*(points - tip).T).min() < 1.5
        assert np.hypot(*(points - line).T).max() < np.hypot(*(tip - line)) + 4.5


def test_regions_cover_the_bone(meshes: MeshSet) -> None:
    """Body, arch and process together are the silhouette of the vertebra; body and process are disjoint."""
    patient = mesh_patient(meshes, standard_anatomy())
    body, arch, process = (
        region_mask(patient, "C5", region, mm_to_px=MM_TO_PX, size_px=SIZE_PX)
        for region in ("body", "arch", "process")
    )
    whole = bones_mask(patient, ("C5",), mm_to_px=MM_TO_PX, size_px=SIZE_PX)
    assert not np.any(body & process)
    union = body | arch | process
    assert (union & whole).sum() > 0.93 * whole.sum()
    assert (union & whole).sum() > 0.97 * union.sum()


def test_fractured_process_has_two_parts(meshes: MeshSet) -> None:
    """The fragment is displaced, and the tip with it; both parts have the volume of the whole."""
    anatomy = standard_anatomy(fracture=True)
    level = next(v.level for v in anatomy.vertebrae if v.fracture_mm)
    patient = mesh_patient(meshes, anatomy)
    pieces = fragments(patient, level, meshes[level].vertices_mm)
    assert len(pieces) == 2

    def volume_mm3(vertices: np.ndarray) -> float:
        a, b, c = (vertices[meshes[level].triangles[:, i]] for i in range(3))
        return patient.sign * float((a * np.cross(b, c)).sum() / 6)

    whole = patient.place(level, meshes[level].vertices_mm)
    assert sum(map(volume_mm3, pieces)) == pytest.approx(volume_mm3(whole), rel=0.02)
    assert min(map(volume_mm3, pieces)) > 100
    columns = np.nonzero(_process(patient, level))[1]
    tip = landmarks_mm(patient, level)["spinous tip"]
    assert (columns.max() - MM_TO_PX[0, 2]) / PX_PER_MM == pytest.approx(tip[0], abs=2.5)


def test_mirrored_patients_occur_and_attenuate(meshes: MeshSet) -> None:
    """Exchanging left and right keeps path lengths positive."""
    patients = [mesh_patient(meshes, standard_anatomy(), seed) for seed in range(8)]
    assert {patient.mirrored for patient in patients} == {False, True}
    for patient in patients[:4]:
        assert _process(patient, "C5").sum() > 100
