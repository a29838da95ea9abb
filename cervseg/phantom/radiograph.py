"""Synthetic lateral cervical radiographs with exact masks and landmarks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.phantom.anatomy import BODY_LEVELS, LEVELS, Anatomy, Posture, draw_anatomy
from cervseg.phantom.detector import Exposure, add_marker, develop, display, draw_exposure, expose, frame
from cervseg.phantom.masks import anatomy_masks, process_masks
from cervseg.phantom.mesh_masks import mesh_anatomy_masks, mesh_landmarks, mesh_process_masks
from cervseg.phantom.mesh_patient import MeshPatient, draw_mesh_patient
from cervseg.phantom.mesh_render import add_bones, parts_beside_bones
from cervseg.phantom.mesh_set import MeshSet
from cervseg.phantom.solid import Solid, add_solid
from cervseg.phantom.view import View, draw_view
from cervseg.phantom.wide import WideScene, widen

# Attenuation is summed at about 0.2 mm per pixel for every image size; the bones have no finer detail.
_CANVAS_LONG_SIDE_PX = (900, 1280)
_WIDE_CANVAS_PX = (560, 1280)
_COARSE = 3
_WIDE_VARIETY = 1.6

Domain = Literal["standard", "wide"]


@dataclass(frozen=True, kw_only=True)
class PhantomImage:
    """A synthetic radiograph with its masks and landmarks.

    Args:
        pixels: H x W uint8 (row, column), bone bright; in the wide domain some images are uint16 or inverted.
        mask: H x W uint8 {0, 1}, the union of all level masks.
        level_masks: "C1".."C7" -> H x W uint8 {0, 1}; neighbours may overlap. A mask is the projected
            spinous process from the spinolaminar line to its tip; of C1, which has none, the posterior
            tubercle with the thick end of the posterior arch.
        landmarks: name -> (x, y) in pixels, pixel centres at integers, possibly outside the image.
            '<level> spinous tip' and '<level> spinolaminar' for C2..C7, and the 23 points of the bodies with
            their labels in CSXA ('C2 centroid', 'C5 top left', ...); left is anterior for both facings.
        mm_per_pixel: pixel size in mm in the plane of the spine.
        attributes: properties of the patient and the view: age, sex, posture, facing, hardware, fracture,
            overlap, rotation_deg and others.
        anatomy_masks: name -> H x W uint8 {0, 1}, see :func:`~cervseg.phantom.masks.anatomy_masks`; empty
            unless asked for.
    """

    pixels: np.ndarray
    mask: np.ndarray
    level_masks: dict[str, np.ndarray]
    landmarks: dict[str, tuple[float, float]]
    mm_per_pixel: float
    attributes: dict[str, str | float | bool]
    anatomy_masks: dict[str, np.ndarray] = field(default_factory=dict)


def make_phantom(
    *,
    seed: int,
    index: int,
    long_side_px: int | None = None,
    posture: Posture | None = None,
    facing: Literal["left", "right"] | None = None,
    hardware: bool | None = None,
    fracture: bool | None = None,
    overlap: bool | None = None,
    domain: Domain = "standard",
    with_anatomy: bool = False,
    meshes: MeshSet | None = None,
    mesh_share: float = 0.5,
) -> PhantomImage:
    """Generate one synthetic radiograph of a series; the result is the same on every machine.

    Args:
        seed: seed of the series, at least 0.
        index: index of the image in the series, at least 0.
        long_side_px: height of the image in px, at least 64; None draws 480 to 2500.
        posture: posture of the neck; None draws it, as for the following arguments.
        facing: side of the image that the face points to.
        hardware: add an anterior plate with screws.
        fracture: fracture a spinous process.
        overlap: let two processes touch or overlap.
        domain: "standard" for adults on one kind of detector; "wide" for sizes, shapes, exposures, objects
            and storage far beyond, to train networks for radiographs of any source.
        with_anatomy: fill ``anatomy_masks``, too.
        meshes: bones as closed surfaces (:func:`~cervseg.phantom.mesh_set.read_meshes`); None for none.
        mesh_share: probability that an image has the surfaces for its bones, if there are any; every other
            image is the same as without them.

    Raises:
        DatasetError: ``long_side_px`` is less than 64.
    """
    if long_side_px is not None and long_side_px < 64:
        raise DatasetError(f"a phantom of {long_side_px} px is too small", hint="use at least 64 px")
    body, image, noise = (np.random.default_rng([seed, index, stream]) for stream in range(3))
    anatomy = draw_anatomy(body, posture=posture, hardware=hardware, fracture=fracture, overlap=overlap)
    view = draw_view(image, long_side_px=long_side_px, facing=facing)
    exposure = draw_exposure(image)
    wide, bones = (np.random.default_rng([seed, index, stream]) for stream in (3, 4))
    scene = widen(anatomy, view, exposure, rng=wide, facing=facing) if domain == "wide" else None
    patient = None
    if meshes is not None and bones.random() < mesh_share:
        variety = 1.0 if scene is None else _WIDE_VARIETY
        followed = anatomy if scene is None else scene.anatomy
        patient = draw_mesh_patient(bones, meshes=meshes, anatomy=followed, variety=variety)
    if scene is not None:
        return render_wide(scene, rng=noise, with_anatomy=with_anatomy, patient=patient)
    return render(anatomy, view, exposure, rng=noise, with_anatomy=with_anatomy, patient=patient)


def render(
    anatomy: Anatomy,
    view: View,
    exposure: Exposure,
    *,
    rng: np.random.Generator,
    with_anatomy: bool = False,
    patient: MeshPatient | None = None,
) -> PhantomImage:
    """Render a radiograph of ``anatomy`` with its masks and landmarks.

    Args:
        anatomy: the patient.
        view: image size, scale and position of the patient.
        exposure: parameters of acquisition and display.
        rng: random generator of the texture and the photon noise.
        with_anatomy: fill ``anatomy_masks``, too.
        patient: surfaces that replace the anatomy's bones.
    """
    parts = anatomy.parts() if patient is None else parts_beside_bones(anatomy)
    solids = [solid for part in parts.values() for solid in part]
    attenuation = attenuation_map(solids, view, rng=rng, patient=patient)
    add_marker(attenuation, exposure, mm_per_pixel=view.mm_per_pixel)
    signal = expose(attenuation, exposure, mm_per_pixel=view.mm_per_pixel, rng=rng)
    pixels = display(signal, exposure, mm_per_pixel=view.mm_per_pixel)
    frame(pixels, exposure)
    level_masks = _level_masks(anatomy, patient, view)
    mask = np.maximum.reduce(list(level_masks.values()))
    return PhantomImage(
        pixels=pixels,
        mask=mask,
        level_masks=level_masks,
        landmarks=_landmarks(anatomy, view) if patient is None else mesh_landmarks(patient, view),
        mm_per_pixel=view.mm_per_pixel,
        attributes=_attributes(anatomy, view, level_masks) | _bones(patient),
        anatomy_masks=_anatomy_masks(anatomy, patient, view) if with_anatomy else {},
    )


def render_wide(
    scene: WideScene,
    *,
    rng: np.random.Generator,
    with_anatomy: bool = False,
    patient: MeshPatient | None = None,
) -> PhantomImage:
    """Render a radiograph of the wide domain with its masks and landmarks.

    Masks are 0 where the patient is not seen: outside the collimated field and under window bars.

    Args:
        scene: patient, view, exposure, objects and storage.
        rng: random generator of the texture and the photon noise.
        with_anatomy: fill ``anatomy_masks``, too.
        patient: surfaces that replace the anatomy's bones.
    """
    view, exposure, mm_per_pixel = scene.view, scene.exposure, scene.view.mm_per_pixel
    solids = scene.solids()
    if patient is not None:
        solids = [*scene.densities.apply(parts_beside_bones(scene.anatomy)), *scene.objects]
    attenuation = attenuation_map(
        solids, view, rng=rng, canvas_px=_WIDE_CANVAS_PX, muscle=scene.streaks, patient=patient
    )
    add_marker(attenuation, exposure, mm_per_pixel=mm_per_pixel)
    signal = expose(attenuation, exposure, mm_per_pixel=mm_per_pixel, rng=rng)
    grey = develop(signal, exposure, mm_per_pixel=mm_per_pixel)
    pixels = scene.capture.apply(grey, bodies_px=scene.bodies_px())
    seen = scene.capture.visible(view.size_px)
    level_masks = {level: mask & seen for level, mask in _level_masks(scene.anatomy, patient, view).items()}
    others = _anatomy_masks(scene.anatomy, patient, view) if with_anatomy else {}
    return PhantomImage(
        pixels=pixels,
        mask=np.maximum.reduce(list(level_masks.values())),
        level_masks=level_masks,
        landmarks=_landmarks(scene.anatomy, view) if patient is None else mesh_landmarks(patient, view),
        mm_per_pixel=mm_per_pixel,
        attributes={
            **_attributes(scene.anatomy, view, level_masks),
            **_bones(patient),
            "domain": "wide",
            "inverted": scene.capture.inverted,
            "field": scene.capture.field,
        },
        anatomy_masks={name: mask & seen for name, mask in others.items()},
    )


def attenuation_map(
    solids: list[Solid],
    view: View,
    *,
    rng: np.random.Generator,
    canvas_px: tuple[int, int] = _CANVAS_LONG_SIDE_PX,
    muscle: float = 1.0,
    patient: MeshPatient | None = None,
) -> np.ndarray:
    """Sum coefficient times path length over all solids (the exponent of the Beer-Lambert law).

    Args:
        solids: the solids, in mm.
        view: image size, scale and position of the patient.
        rng: random generator of the texture.
        canvas_px: smallest and largest height at which the solids are rendered; resampled to the view's.
        muscle: contrast of the streaks of muscle and fat; 1 is usual.
        patient: surfaces to add to the solids.

    Returns:
        H x W float32, no unit, at least 0; the intensity behind the patient is exp(-map).
    """
    height, width = view.size_px
    scale = float(np.clip(height, *canvas_px)) / height
    size = round(height * scale), round(width * scale)
    fine = np.zeros(size, dtype=np.float32)
    coarse = np.zeros((-(-size[0] // _COARSE), -(-size[1] // _COARSE)), dtype=np.float32)
    fine_map, coarse_map = view.mm_to_px(scale=scale), view.mm_to_px(scale=coarse.shape[0] / height)
    coarse_px_per_mm = coarse.shape[0] / height / view.mm_per_pixel
    mottle = _mottle(rng, coarse.shape, px_per_mm=coarse_px_per_mm)
    texture = _trabeculae(rng, size, px_per_mm=scale / view.mm_per_pixel)
    texture += cv2.resize(mottle * np.float32(0.3), size[::-1], interpolation=cv2.INTER_LINEAR)
    for solid in solids:
        if solid.coarse:
            add_solid(coarse, solid, mm_to_px=coarse_map, texture=mottle)
        else:
            add_solid(fine, solid, mm_to_px=fine_map, texture=texture)
    if patient is not None:
        add_bones(fine, patient, mm_to_px=fine_map, texture=texture)
    streaks = _streaks(rng, coarse.shape, px_per_mm=coarse_px_per_mm)
    smooth = cv2.GaussianBlur(coarse, (0, 0), 0.8)
    smooth = smooth * (np.float32(1) + np.float32(0.025 * muscle) * streaks + np.float32(0.008) * mottle)
    fine += cv2.resize(smooth, size[::-1], interpolation=cv2.INTER_CUBIC)
    if fine.shape != view.size_px:
        method = cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC
        return np.maximum(cv2.resize(fine, view.size_px[::-1], interpolation=method), np.float32(0))
    return np.maximum(fine, np.float32(0))


def _trabeculae(rng: np.random.Generator, size: tuple[int, int], *, px_per_mm: float) -> np.ndarray:
    """Generate the texture of trabeculae: band-passed noise, mean 0, SD about 1."""
    half = (size[0] // 2 + 1, size[1] // 2 + 1)
    noise = rng.standard_normal(half, dtype=np.float32)
    narrow = cv2.GaussianBlur(noise, (0, 0), max(0.15 * px_per_mm, 0.4))
    wide = cv2.GaussianBlur(narrow, (0, 0), 0.6 * px_per_mm)
    bands = narrow - np.float32(0.8) * wide
    bands *= np.float32(1.0) / bands.std()
    texture: np.ndarray = cv2.resize(bands, size[::-1], interpolation=cv2.INTER_LINEAR)
    return texture


def _mottle(rng: np.random.Generator, size: tuple[int, ...], *, px_per_mm: float) -> np.ndarray:
    """Generate the texture of air cells and diploe: noise of several scales, mean 0, SD about 1."""
    total = np.zeros(size, dtype=np.float32)
    for size_mm in (0.9, 1.8, 4.0):
        noise = rng.standard_normal(size, dtype=np.float32)
        cloud = cv2.GaussianBlur(noise, (0, 0), size_mm * px_per_mm)
        total += cloud * (np.float32(0.6) / cloud.std())
    return total


def _streaks(rng: np.random.Generator, size: tuple[int, ...], *, px_per_mm: float) -> np.ndarray:
    """Generate the texture of muscle and fat: noise elongated along the neck, mean 0, SD about 1."""
    total = np.zeros(size, dtype=np.float32)
    for along_mm, across_mm, weight in ((30.0, 5.0, 0.7), (14.0, 2.0, 0.5), (9.0, 9.0, 0.5)):
        noise = rng.standard_normal((size[0] // 2 + 1, size[1] // 2 + 1), dtype=np.float32)
        streak = cv2.GaussianBlur(noise, (0, 0), across_mm * px_per_mm / 2, sigmaY=along_mm * px_per_mm / 2)
        streak *= np.float32(weight) / streak.std()
        total += cv2.resize(streak, size[::-1], interpolation=cv2.INTER_LINEAR)
    return total


def _level_masks(anatomy: Anatomy, patient: MeshPatient | None, view: View) -> dict[str, np.ndarray]:
    """Project the processes of C1 to C7 from the surfaces, or from the outlines without any."""
    return process_masks(anatomy, view) if patient is None else mesh_process_masks(patient, view)


def _anatomy_masks(anatomy: Anatomy, patient: MeshPatient | None, view: View) -> dict[str, np.ndarray]:
    """Project the bones beside the processes from the surfaces, or from the outlines without any."""
    return anatomy_masks(anatomy, view) if patient is None else mesh_anatomy_masks(patient, view)


def _bones(patient: MeshPatient | None) -> dict[str, str | float | bool]:
    """Describe surfaces in plain values; nothing without any."""
    return {} if patient is None else {"bones": "meshes", "mirrored": patient.mirrored}


def _landmarks(anatomy: Anatomy, view: View) -> dict[str, tuple[float, float]]:
    """Compute all landmarks (x, y) in px."""
    named: dict[str, tuple[float, float]] = {}
    for level in BODY_LEVELS:
        vertebra = anatomy[level]
        corners = vertebra.body_corners_mm()
        if level == "C2":
            named["C2 centroid"] = (vertebra.pose.x_mm, vertebra.pose.y_mm)
            corners = {name: point for name, point in corners.items() if name.startswith("bottom")}
        named.update({f"{level} {name}": point for name, point in corners.items()})
        named[f"{level} spinous tip"] = vertebra.tip_mm()
        canal_side = vertebra.pose.apply(np.array([vertebra.spinolaminar_local_mm]))[0]
        named[f"{level} spinolaminar"] = (float(canal_side[0]), float(canal_side[1]))
    matrix = view.mm_to_px()
    points = np.array(list(named.values())) @ matrix[:, :2].T + matrix[:, 2]
    return {name: (float(x), float(y)) for name, (x, y) in zip(named, points)}


def _attributes(
    anatomy: Anatomy, view: View, level_masks: dict[str, np.ndarray]
) -> dict[str, str | float | bool]:
    """Describe the patient and the view in plain values."""
    overlapping = [
        f"{a}-{b}" for a, b in itertools.pairwise(LEVELS) if np.any(level_masks[a] & level_masks[b])
    ]
    return {
        "age_years": round(anatomy.age_years, 1),
        "sex": anatomy.sex,
        "posture": anatomy.posture,
        "facing": "right" if view.faces_right else "left",
        "rotation_deg": round(view.rotation_deg, 2),
        "hardware": anatomy.implant is not None,
        "fracture": next((v.level for v in anatomy.vertebrae if v.fracture_mm), ""),
        "overlap": " ".join(overlapping),
        "bone_density": round(anatomy.skull.density, 3),
        "shoulder_rise_mm": round(anatomy.tissue.shoulder_rise_mm, 1),
    }
