from __future__ import annotations

import numpy as np

from cervseg.phantom.mesh_masks import bones_mask, region_mask
from cervseg.phantom.mesh_patient import MeshPatient
from cervseg.phantom.mesh_render import mesh_attenuation
from cervseg.phantom.mesh_set import MeshSet
from tests.meshes import mesh_patient, standard_anatomy

PX_PER_MM = 2.0
MM_TO_PX = np.array([[PX_PER_MM, 0.0, 200.0], [0.0, PX_PER_MM, 180.0]])
SIZE_PX = (400, 420)


def _process(patient: MeshPatient, level: str) -> np.ndarray:
    return region_mask(patient, level, "process", mm_to_px=MM_TO_PX, size_px=SIZE_PX)


def test_attenuation_is_that_of_bone(meshes: MeshSet) -> None:
    """Bone attenuates, the canal does not, and the rim of a process is denser than its middle per mm."""
    patient = mesh_patient(meshes, standard_anatomy())
    attenuation = mesh_attenuation(patient, mm_to_px=MM_TO_PX, size_px=SIZE_PX)
    assert attenuation.shape == SIZE_PX
    assert attenuation.dtype == np.float32
    outside = np.ones(SIZE_PX, dtype=bool)
    for bone in patient.placements:
        outside &= bones_mask(patient, (bone,), mm_to_px=MM_TO_PX, size_px=SIZE_PX) == 0
    assert np.abs(attenuation[outside]).mean() < 1e-3
    process = _process(patient, "C6") == 1
    assert 0.1 < attenuation[process].mean() < 0.5


def test_patient_is_the_same_for_the_same_state(meshes: MeshSet) -> None:
    """The same random state gives the same picture, another one another."""
    first, again, other = (
        mesh_attenuation(mesh_patient(meshes, standard_anatomy(), seed), mm_to_px=MM_TO_PX, size_px=SIZE_PX)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.05


def test_bones_outside_the_canvas_are_left_out(meshes: MeshSet) -> None:
    """A part of the view has the same attenuation as the whole, and a view beside the patient has none."""
    patient = mesh_patient(meshes, standard_anatomy())
    whole = mesh_attenuation(patient, mm_to_px=MM_TO_PX, size_px=SIZE_PX)
    moved = MM_TO_PX - np.array([[0, 0, 150], [0, 0, 200]])
    part = mesh_attenuation(patient, mm_to_px=moved, size_px=(60, 120))
    np.testing.assert_allclose(part, whole[200:260, 150:270], atol=1e-4)
    assert part.max() > 0.3
    beside = MM_TO_PX + np.array([[0, 0, 9000], [0, 0, 0]])
    assert not mesh_attenuation(patient, mm_to_px=beside, size_px=(60, 120)).any()
