"""The bones of one person as closed surfaces, read from a folder.

The names and numbers are those of BodyParts3D (The Database Center for Life Science), whose files can be put
into the folder as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.phantom.mesh import Mesh, is_closed, merge_vertices, read_mesh
from cervseg.phantom.mesh_landmarks import VertebraLandmarks, find_landmarks

# Bone -> number in the Foundational Model of Anatomy, by which BodyParts3D names its files.
VERTEBRA_FMA = {
    "C1": 12519, "C2": 12520, "C3": 12521, "C4": 12522, "C5": 12523, "C6": 12524, "C7": 12525,
    "T1": 9165, "T2": 9187, "T3": 9209, "T4": 9248,
}  # fmt: skip
SKULL_FMA = {
    "occipital": 52735, "frontal": 52734, "sphenoid": 52736, "ethmoid": 52740, "vomer": 9710,
    "parietal_L": 52789, "parietal_R": 52788, "temporal_L": 52739, "temporal_R": 52738,
    "maxilla_L": 53650, "maxilla_R": 53649, "zygomatic_L": 52893, "zygomatic_R": 52892,
    "palatine_L": 53656, "palatine_R": 53655, "nasal_L": 53648, "nasal_R": 53647,
    "lacrimal_L": 53646, "lacrimal_R": 53645,
}  # fmt: skip
JAW_FMA = {"mandible": 52748}
HYOID_FMA = {"hyoid": 52749}
CHEST_FMA = {
    "clavicle_L": 13323, "clavicle_R": 13322, "manubrium": 7486, "rib1_L": 7987, "rib1_R": 7857,
    "rib2_R": 7882,
}  # fmt: skip
BONE_FMA = {**VERTEBRA_FMA, **SKULL_FMA, **JAW_FMA, **HYOID_FMA, **CHEST_FMA}
REQUIRED_BONES = (
    "C1", "C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2", "occipital", "maxilla_L", "maxilla_R", "mandible"
)  # fmt: skip

# Vertices within one cell are merged: the canvas has about 0.25 mm per pixel, and the outer bones need less.
_CELL_MM = {
    **dict.fromkeys(VERTEBRA_FMA, 0.7), "T3": 1.2, "T4": 1.2, "hyoid": 1.0,
    **dict.fromkeys(SKULL_FMA, 2.2), "frontal": 3.0, "parietal_L": 3.0, "parietal_R": 3.0,
    **dict.fromkeys(CHEST_FMA, 2.0), "mandible": 1.8,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class MeshSet:
    """The bones of one person.

    Args:
        bones: name of the bone, as in :data:`BONE_FMA`, -> its surface; all in one frame.
        landmarks: name of the vertebra -> its landmarks.
    """

    bones: Mapping[str, Mesh]
    landmarks: Mapping[str, VertebraLandmarks]

    def __getitem__(self, bone: str) -> Mesh:
        return self.bones[bone]

    def __contains__(self, bone: str) -> bool:
        return bone in self.bones


def read_meshes(folder: Path) -> MeshSet:
    """Read the surfaces of a folder and merge vertices that the canvas cannot tell apart.

    A file is named after its bone, with anything after an underscore, or after the bone's number: ``C3.stl``,
    ``C3_FMA12521.stl`` and ``FMA12521.obj`` are the same bone. Other files are ignored. The bones of
    :data:`REQUIRED_BONES` must be there, the others are drawn where they are there.

    Args:
        folder: folder of binary STL (.stl) or Wavefront (.obj) files in mm; x left, y posterior, z up.

    Raises:
        DatasetError: the folder or a required bone is missing, a surface is damaged or not closed, or a
            vertebra has no canal.
    """
    if not folder.is_dir():
        raise DatasetError("folder of meshes not found", where=folder)
    paths = {bone: path for path in sorted(folder.iterdir()) if (bone := _bone_of(path))}
    missing = [bone for bone in REQUIRED_BONES if bone not in paths]
    if missing:
        hint = f"add {missing[0]}.stl or FMA{BONE_FMA[missing[0]]}.stl, and likewise the others"
        raise DatasetError(f"no mesh of {', '.join(missing)}", where=folder, hint=hint)
    bones = {}
    for bone, path in paths.items():
        mesh = read_mesh(path)
        if not is_closed(mesh):
            raise DatasetError(
                "surface is not closed", where=path, hint="fill its holes, for example in MeshLab"
            )
        bones[bone] = merge_vertices(mesh, cell_mm=_CELL_MM[bone])
    landmarks = {bone: find_landmarks(bone, bones[bone]) for bone in VERTEBRA_FMA if bone in bones}
    return MeshSet(bones=bones, landmarks=landmarks)


def _bone_of(path: Path) -> str | None:
    """Return the bone that a file is named after, or None."""
    if path.suffix.lower() not in (".stl", ".obj"):
        return None
    numbers = {f"FMA{number}": bone for bone, number in BONE_FMA.items()}
    named = [bone for bone in BONE_FMA if path.stem == bone or path.stem.startswith(f"{bone}_")]
    return named[0] if named else numbers.get(path.stem)
