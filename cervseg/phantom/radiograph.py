"""Synthetic lateral cervical radiographs with exact masks and landmarks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.phantom.anatomy import LEVELS, Anatomy, Posture, draw_anatomy
from cervseg.phantom.detector import Exposure, add_marker, display, draw_exposure, expose, frame
from cervseg.phantom.solid import Solid, add_solid

# Attenuation is summed at about 0.2 mm per pixel for every image size; the bones have no finer detail.
_CANVAS_LONG_SIDE_PX = (900, 1280)
_COARSE = 3
_MASK_OVERSAMPLING = 4


@dataclass(frozen=True, kw_only=True)
class PhantomImage:
    """A synthetic radiograph with its masks and landmarks.

    Args:
        pixels: H x W uint8 (row, column), bone bright.
        mask: H x W uint8 {0, 1}, the union of all level masks.
        level_masks: "C2".."C7" -> H x W uint8 {0, 1}; neighbours may overlap. A mask is the projected
            spinous process from the spinolaminar line to its tip. C1 has no spinous process; its posterior
            tubercle is background.
        landmarks: name -> (x, y) in pixels, pixel centres at integers, possibly outside the image.
            '<level> spinous tip' and '<level> spinolaminar' for C2..C7, and the 23 points of the bodies with
            their labels in CSXA ('C2 centroid', 'C5 top left', ...); left is anterior for both facings.
        mm_per_pixel: pixel size in mm in the plane of the spine.
        attributes: properties of the patient and the view: age, sex, posture, facing, hardware, fracture,
            overlap, rotation_deg and others.
    """

    pixels: np.ndarray
    mask: np.ndarray
    level_masks: dict[str, np.ndarray]
    landmarks: dict[str, tuple[float, float]]
    mm_per_pixel: float
    attributes: dict[str, str | float | bool]


@dataclass(frozen=True, kw_only=True)
class View:
    """Image size, scale and position of the patient.

    Args:
        size_px: (height, width) of the image.
        mm_per_pixel: pixel size in mm.
        centre: position (x, y) of C4 before flipping, as fractions of width and height.
        rotation_deg: rotation in the image plane (x towards y).
        faces_right: flip the image, so that anterior is on the right.
    """

    size_px: tuple[int, int]
    mm_per_pixel: float
    centre: tuple[float, float]
    rotation_deg: float
    faces_right: bool

    def mm_to_px(self, *, scale: float = 1.0) -> np.ndarray:
        """Compute the similarity transform from the anatomy's mm to pixels.

        Args:
            scale: size of a resized copy of the image, relative to the image.

        Returns:
            2 x 3 float64; maps (x, y, 1) in mm to (x, y) in px of the copy.
        """
        height, width = self.size_px
        angle = np.deg2rad(self.rotation_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / self.mm_per_pixel
        matrix = np.column_stack([turn, np.array([self.centre[0] * width, self.centre[1] * height]) - 0.5])
        if self.faces_right:
            matrix[0] = -matrix[0]
            matrix[0, 2] += width - 1
        # Pixel centres are at integers, so resizing scales (x + 0.5).
        matrix[:, 2] += 0.5
        return np.asarray(matrix * scale - np.array([[0, 0, 0.5], [0, 0, 0.5]]))


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

    Raises:
        DatasetError: ``long_side_px`` is less than 64.
    """
    if long_side_px is not None and long_side_px < 64:
        raise DatasetError(f"a phantom of {long_side_px} px is too small", hint="use at least 64 px")
    body, image, noise = (np.random.default_rng([seed, index, stream]) for stream in range(3))
    anatomy = draw_anatomy(body, posture=posture, hardware=hardware, fracture=fracture, overlap=overlap)
    view = draw_view(image, long_side_px=long_side_px, facing=facing)
    return render(anatomy, view, draw_exposure(image), rng=noise)


def draw_view(
    rng: np.random.Generator, *, long_side_px: int | None, facing: Literal["left", "right"] | None
) -> View:
    """Draw the image size, the field of view and the position of the patient.

    Args:
        rng: random generator.
        long_side_px: height of the image in px; None draws 480 to 2500 px, log-uniform.
        facing: side of the image that the face points to; None draws it (left with probability 0.85).
    """
    drawn_px = round(float(np.exp(rng.uniform(np.log(480), np.log(2500)))))
    height = long_side_px or drawn_px
    field_mm, aspect = float(rng.uniform(215, 260)), float(rng.uniform(0.70, 0.82))
    drawn_right = bool(rng.random() < 0.15)
    return View(
        size_px=(height, round(height * aspect)),
        mm_per_pixel=field_mm / height,
        centre=(float(rng.uniform(0.37, 0.50)), float(rng.uniform(0.42, 0.52))),
        rotation_deg=float(np.clip(rng.normal(0, 3.5), -12, 12)),
        faces_right=drawn_right if facing is None else facing == "right",
    )


def render(anatomy: Anatomy, view: View, exposure: Exposure, *, rng: np.random.Generator) -> PhantomImage:
    """Render a radiograph of ``anatomy`` with its masks and landmarks.

    Args:
        anatomy: the patient.
        view: image size, scale and position of the patient.
        exposure: parameters of acquisition and display.
        rng: random generator of the texture and the photon noise.
    """
    attenuation = attenuation_map(anatomy.solids(), view, rng=rng)
    add_marker(attenuation, exposure, mm_per_pixel=view.mm_per_pixel)
    signal = expose(attenuation, exposure, mm_per_pixel=view.mm_per_pixel, rng=rng)
    pixels = display(signal, exposure, mm_per_pixel=view.mm_per_pixel)
    frame(pixels, exposure)
    level_masks = {level: _process_mask(anatomy, level, view) for level in LEVELS}
    mask = np.maximum.reduce(list(level_masks.values()))
    return PhantomImage(
        pixels=pixels,
        mask=mask,
        level_masks=level_masks,
        landmarks=_landmarks(anatomy, view),
        mm_per_pixel=view.mm_per_pixel,
        attributes=_attributes(anatomy, view, level_masks),
    )


def attenuation_map(solids: list[Solid], view: View, *, rng: np.random.Generator) -> np.ndarray:
    """Sum coefficient times path length over all solids (the exponent of the Beer-Lambert law).

    Args:
        solids: the solids, in mm.
        view: image size, scale and position of the patient.
        rng: random generator of the texture.

    Returns:
        H x W float32, no unit, at least 0; the intensity behind the patient is exp(-map).
    """
    height, width = view.size_px
    scale = float(np.clip(height, *_CANVAS_LONG_SIDE_PX)) / height
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
    streaks = _streaks(rng, coarse.shape, px_per_mm=coarse_px_per_mm)
    smooth = cv2.GaussianBlur(coarse, (0, 0), 0.8)
    smooth = smooth * (np.float32(1) + np.float32(0.025) * streaks + np.float32(0.008) * mottle)
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


def _process_mask(anatomy: Anatomy, level: str, view: View) -> np.ndarray:
    """Rasterize a process: H x W uint8, 1 where the process covers at least half of the pixel."""
    mask = np.zeros(view.size_px, dtype=np.uint8)
    matrix = view.mm_to_px()
    for outline in anatomy[level].process_outlines_mm():
        points = outline @ matrix[:, :2].T + matrix[:, 2]
        low = np.maximum(np.floor(points.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 2, view.size_px[::-1])
        if np.any(high <= low):
            continue
        n = _MASK_OVERSAMPLING
        fine = np.zeros(((high - low) * n)[::-1], dtype=np.uint8)
        cv2.fillPoly(fine, [np.round(((points - low + 0.5) * n - 0.5) * 64).astype(np.int32)], 255, shift=6)
        cover = cv2.resize(fine, tuple(int(s) for s in high - low), interpolation=cv2.INTER_AREA)
        window = mask[low[1] : high[1], low[0] : high[0]]
        np.maximum(window, (cover >= 128).astype(np.uint8), out=window)
    return mask


def _landmarks(anatomy: Anatomy, view: View) -> dict[str, tuple[float, float]]:
    """Compute all landmarks (x, y) in px."""
    named: dict[str, tuple[float, float]] = {}
    for level in LEVELS:
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
