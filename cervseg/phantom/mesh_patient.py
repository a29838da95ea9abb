"""A patient whose bones are surfaces, in the posture and with the dimensions of a drawn anatomy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cervseg.phantom.anatomy import Anatomy
from cervseg.phantom.mesh_landmarks import VertebraLandmarks
from cervseg.phantom.mesh_placement import (
    Position,
    RigidPlacement,
    Shape,
    VertebraPlacement,
    draw_waves,
)
from cervseg.phantom.mesh_projection import Beam
from cervseg.phantom.mesh_set import CHEST_FMA, SKULL_FMA, VERTEBRA_FMA, MeshSet
from cervseg.phantom.solid import CANCELLOUS_BONE_PER_MM, CORTICAL_BONE_PER_MM, Pose
from cervseg.phantom.vertebra import Vertebra

Placement = VertebraPlacement | RigidPlacement
Region = Literal["body", "arch", "process"]

# Thickness of the cortex in mm; that of a vertebra grows from the body to the arch.
_BODY_SHELL_MM, _ARCH_SHELL_MM = 0.45, 0.8
_SHELL_MM = {
    "mandible": 1.5, "hyoid": 0.6, "manubrium": 0.7, "clavicle_L": 1.3, "clavicle_R": 1.3,
    "occipital": 1.2, "parietal_L": 1.2, "parietal_R": 1.2, "frontal": 1.2,
    "temporal_L": 1.0, "temporal_R": 1.0,
}  # fmt: skip
_THIN_SHELL_MM = 0.5
# Below C2, the surfaces' processes are thicker than those that people trace in radiographs.
_THICKNESS = 0.78
# Factors of the attenuation of cortex and inside, by bone, so that images look like radiographs.
_SHARES = {
    **dict.fromkeys(VERTEBRA_FMA, (0.9, 0.85)),
    **dict.fromkeys(SKULL_FMA, (1.0, 1.0)),
    **dict.fromkeys(CHEST_FMA, (0.75, 0.6)),
    "C1": (0.75, 0.55),
    "mandible": (0.9, 0.9),
    "hyoid": (0.8, 0.8),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class MeshPatient:
    """Surfaces and their places.

    Args:
        meshes: the surfaces.
        placements: name of the bone -> its place.
        targets: level -> the vertebra of the anatomy that the surface follows.
        beam: position of the source.
        mirrored: left and right are exchanged.
        density: bone density relative to a healthy adult.
        shell: factor of the thickness of the cortex.
    """

    meshes: MeshSet
    placements: Mapping[str, Placement]
    targets: Mapping[str, Vertebra]
    beam: Beam
    mirrored: bool
    density: float
    shell: float

    def place(self, bone: str, points_mm: np.ndarray) -> np.ndarray:
        """Map N x 3 points in the frame of the meshes to the patient: N x 3 float64."""
        placed = self.placements[bone].apply(points_mm)
        return placed * (1.0, 1.0, -1.0) if self.mirrored else placed

    @property
    def sign(self) -> float:
        """Sign of the path lengths after :meth:`place`: mirrored surfaces are inside out."""
        return -1.0 if self.mirrored else 1.0


def draw_mesh_patient(
    rng: np.random.Generator, *, meshes: MeshSet, anatomy: Anatomy, variety: float = 1.0
) -> MeshPatient:
    """Draw a patient: random shapes, in the posture and with the dimensions of an anatomy.

    Args:
        rng: random generator; the same state gives the same patient.
        meshes: the bones.
        anatomy: its vertebral bodies, processes, head and hyoid are followed.
        variety: factor of the changes of shape and density, 1 for adults of usual proportions.
    """
    spine = _draw_spine(rng, meshes, anatomy, variety)
    placements: dict[str, Placement] = {**spine}
    placements |= _draw_head(rng, meshes, anatomy, spine["C2"])
    placements |= _draw_chest(rng, meshes, anatomy, spine["T1"])
    x, y = rng.normal(0, 15, size=2)
    return MeshPatient(
        meshes=meshes,
        placements={bone: placements[bone] for bone in meshes.bones if bone in placements},
        targets={v.level: v for v in anatomy.vertebrae if v.level in spine},
        beam=Beam(source_mm=(float(x), float(y + 10.0)), distance_mm=float(rng.uniform(1250, 1600))),
        mirrored=bool(rng.random() < 0.5),
        density=float(np.clip(anatomy.skull.density * np.exp(rng.normal(0, 0.1 * variety)), 0.5, 1.5)),
        shell=float(np.clip(rng.normal(1.0, 0.15 * variety), 0.6, 1.5)),
    )


def shell_mm(patient: MeshPatient, bone: str) -> np.ndarray | float:
    """Compute the thickness of the cortex in mm: N values for a vertebra, one for another bone."""
    if bone not in patient.meshes.landmarks:
        return patient.shell * _SHELL_MM.get(bone, _THIN_SHELL_MM)
    landmarks = patient.meshes.landmarks[bone]
    x = landmarks.to_local(patient.meshes[bone].vertices_mm)[:, 0] - landmarks.body_width_mm / 2
    share = np.clip(x / 6.0, 0.0, 1.0) if bone != "C1" else np.float64(1.0)
    return patient.shell * (_BODY_SHELL_MM + (_ARCH_SHELL_MM - _BODY_SHELL_MM) * share)


def coefficients_per_mm(patient: MeshPatient, bone: str) -> tuple[float, float]:
    """Return the linear attenuation coefficients of cortex and inside in 1/mm, in excess of soft tissue."""
    shell, inside = _SHARES[bone]
    density = patient.density
    return CORTICAL_BONE_PER_MM * (0.4 + 0.6 * density) * shell, CANCELLOUS_BONE_PER_MM * density * inside


def _draw_spine(
    rng: np.random.Generator, meshes: MeshSet, anatomy: Anatomy, variety: float
) -> dict[str, VertebraPlacement | RigidPlacement]:
    """Draw C1 to T4; rotation and tilt change smoothly along the neck."""
    rotation, tilt = np.clip(rng.normal(0, (3.0 * variety, 2.5 * variety)), (-8.0, -6.0), (8.0, 6.0))
    twist, bow = rng.normal(0, (0.5, 0.4))
    thickness = rng.normal(0, 0.08 * variety, size=2)
    length, canal = rng.uniform(0.65, 1.15), rng.uniform(0.5, 1.0)
    spine: dict[str, VertebraPlacement | RigidPlacement] = {}
    for i, target in enumerate(anatomy.vertebrae):
        if target.level not in meshes.landmarks or target.level == "C1":
            continue
        source = meshes.landmarks[target.level]
        spine[target.level] = VertebraPlacement(
            landmarks=source,
            shape=_draw_shape(
                rng, source, target, length=length, canal=canal, thickness=thickness, variety=variety
            ),
            position=Position(
                pose=target.pose,
                rotation_deg=float(rotation + twist * (3 - i) + rng.normal(0, 0.5)),
                tilt_deg=float(tilt + bow * (3 - i) + rng.normal(0, 0.5)),
            ),
        )
    return spine


def _draw_shape(
    rng: np.random.Generator,
    source: VertebraLandmarks,
    target: Vertebra,
    *,
    length: float,
    canal: float,
    thickness: np.ndarray,
    variety: float,
) -> Shape:
    """Draw a shape between that of the surface and the dimensions of a drawn vertebra."""
    x, y = target.body_width_mm / source.body_width_mm, target.body_height_mm / source.body_height_mm
    wanted = target.process_length_mm / (source.process_length_mm * x)
    shift = target.canal_mm - source.canal_mm * x
    bend = target.process_slope_deg - source.process_slope_deg
    usual = 1.0 if target.level == "C2" else _THICKNESS
    higher, wider = np.clip(usual + thickness + rng.normal(0, 0.06 * variety, size=2), 0.5, 1.4)
    return Shape(
        scale=(x, y, float(np.sqrt(x * y) * (1 + 0.04 * rng.standard_normal()))),
        canal_shift_mm=float(np.clip(canal * shift, -4.0, 4.0)),
        stretch=float(np.clip(wanted**length * (1 + 0.06 * variety * rng.standard_normal()), 0.4, 1.5)),
        thickness=(float(higher), float(wider)),
        bend_deg=float(np.clip(bend, -25.0, 25.0)),
        spur_mm=target.osteophyte_mm,
        waves=draw_waves(rng, amplitude_mm=0.45 * variety, length_mm=(14.0, 45.0)),
    )


def _draw_head(
    rng: np.random.Generator, meshes: MeshSet, anatomy: Anatomy, axis: VertebraPlacement | RigidPlacement
) -> dict[str, Placement]:
    """Draw C1, skull, jaw and hyoid. The skull keeps its place above the dens, C1 around it."""
    assert isinstance(axis, VertebraPlacement)
    size, head = _mean_size(meshes, anatomy), anatomy.skull.pose
    turn_deg = axis.position.rotation_deg + float(rng.normal(0, 1.5))
    tilt_deg = axis.position.tilt_deg + float(rng.normal(0, 1.0))

    def follow(
        origin_mm: tuple[float, float, float], angle_deg: float, hinge_deg: float = 0.0, wave_mm: float = 0.6
    ) -> RigidPlacement:
        x, y, z = axis.apply(np.array([origin_mm]))[0]
        return RigidPlacement(
            origin_mm=origin_mm,
            angle_deg=0.0,
            scale=size,
            waves=draw_waves(rng, amplitude_mm=wave_mm, length_mm=(25.0, 90.0)),
            position=Position(
                pose=Pose(x_mm=float(x), y_mm=float(y), angle_deg=angle_deg),
                rotation_deg=turn_deg,
                tilt_deg=tilt_deg,
                z_mm=float(z),
            ),
        )

    bent_deg = axis.position.pose.angle_deg - axis.landmarks.pose.angle_deg
    atlas = meshes.landmarks["C1"]
    arch = (atlas.pose.x_mm, atlas.pose.y_mm, atlas.middle_mm)
    atlas_deg = (bent_deg + head.angle_deg) / 2 + float(rng.normal(0, 2.0))
    placements: dict[str, Placement] = {"C1": follow(arch, atlas_deg, wave_mm=0.4)}
    dens = axis.landmarks.pose.apply(np.array([axis.landmarks.top_mm]))[0]
    skull = follow((float(dens[0]), float(dens[1]), axis.landmarks.middle_mm), head.angle_deg)
    placements |= dict.fromkeys(SKULL_FMA, skull)
    placements["mandible"] = _jaw(meshes, skull, drop_mm=anatomy.skull.jaw_drop_mm)
    if "hyoid" in meshes:
        low, high = meshes["hyoid"].vertices_mm.min(axis=0), meshes["hyoid"].vertices_mm.max(axis=0)
        placements["hyoid"] = RigidPlacement(
            origin_mm=(float(low[0]) + 4.0, float(low[1] + high[1]) / 2, axis.landmarks.middle_mm),
            angle_deg=0.0,
            scale=size,
            waves=draw_waves(rng, amplitude_mm=0.7, length_mm=(20.0, 60.0)),
            position=Position(pose=anatomy.hyoid, rotation_deg=turn_deg, tilt_deg=tilt_deg),
        )
    return placements


def _jaw(meshes: MeshSet, skull: RigidPlacement, *, drop_mm: float) -> RigidPlacement:
    """Open the jaw around its condyles, the highest points of its posterior third."""
    vertices = meshes["mandible"].vertices_mm
    low, high = vertices[:, 0].min(), vertices[:, 0].max()
    posterior = vertices[vertices[:, 0] > high - (high - low) / 3]
    condyle = posterior[np.argmin(posterior[:, 1])]
    hinge = float(condyle[0] - skull.origin_mm[0]), float(condyle[1] - skull.origin_mm[1])
    return RigidPlacement(
        origin_mm=skull.origin_mm,
        angle_deg=skull.angle_deg,
        scale=skull.scale,
        waves=skull.waves,
        position=skull.position,
        hinge_mm=hinge,
        # The chin is in front of the condyles, so it sinks with a rotation of x towards -y.
        hinge_deg=-float(np.rad2deg((drop_mm - 1.0) / (high - low))),
    )


def _draw_chest(
    rng: np.random.Generator, meshes: MeshSet, anatomy: Anatomy, first: VertebraPlacement | RigidPlacement
) -> dict[str, Placement]:
    """Draw T3, T4, ribs, manubrium and clavicles at their places relative to T1."""
    assert isinstance(first, VertebraPlacement)
    source, size = first.landmarks, _mean_size(meshes, anatomy)
    waves = draw_waves(rng, amplitude_mm=1.0, length_mm=(40.0, 120.0))
    sides = rng.normal(0, 5.0, size=2)
    placements: dict[str, Placement] = {}
    for bone in ("T3", "T4", *CHEST_FMA):
        pose = first.position.pose
        if bone.startswith("clavicle"):
            rise = 0.5 * anatomy.tissue.shoulder_rise_mm + sides[int(bone.endswith("R"))]
            pose = Pose(x_mm=pose.x_mm, y_mm=pose.y_mm - float(rise), angle_deg=pose.angle_deg)
        placements[bone] = RigidPlacement(
            origin_mm=(source.pose.x_mm, source.pose.y_mm, source.middle_mm),
            angle_deg=source.pose.angle_deg,
            scale=size,
            waves=waves,
            position=Position(
                pose=pose, rotation_deg=first.position.rotation_deg, tilt_deg=first.position.tilt_deg
            ),
        )
    return placements


def _mean_size(meshes: MeshSet, anatomy: Anatomy) -> float:
    """Compute the size of the drawn vertebral bodies relative to the surfaces'."""
    ratios = [
        v.body_height_mm / meshes.landmarks[v.level].body_height_mm
        for v in anatomy.vertebrae
        if v.level in meshes.landmarks and v.level not in ("C1", "C2")
    ]
    return float(np.mean(ratios))
