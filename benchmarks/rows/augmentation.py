"""Augmentation of an image and its mask: rotation, scaling and all intensity changes, one thread each."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import torch
from batchgenerators.transforms.abstract_transforms import Compose
from batchgenerators.transforms.color_transforms import (
    BrightnessTransform,
    ContrastAugmentationTransform,
    GammaTransform,
)
from batchgenerators.transforms.noise_transforms import GaussianBlurTransform, GaussianNoiseTransform
from batchgenerators.transforms.spatial_transforms import SpatialTransform

from benchmarks.harness import Row, in_turn
from benchmarks.rows.unet import dice
from cervseg.core.geometry import about_centre
from cervseg.core.types import Augmentation
from cervseg.phantom.radiograph import make_phantom
from cervseg.preprocessing.prepare import Frame, label_coverage, warp_image, warp_target
from cervseg.training.augment import apply_intensity, draw_augmentation

SIDES = (512, 1024)
ANGLE_DEG, SCALE = 10.0, 1.1
MIN_BLUR_PX = 0.31
# Ranges of both systems. Every transform is applied to every image, so all calls do the same work.
RANGES = Augmentation(
    rotation_deg=15.0,
    scale=(0.85, 1.18),
    translation=0.0,
    gamma=(0.7, 1.5),
    contrast=(0.75, 1.25),
    brightness=0.1,
    noise=0.05,
    blur_px=1.0,
    probability=2.0,  # noise and blur have half of it
)


def measure(*, repeats: int) -> list[Row]:
    """Compare with batchgenerators, with cubic (its default) and linear interpolation (as in cervseg)."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rows = []
    for side in SIDES:
        frame, data = _image(side)
        for order, reach in ((3, 10.0), (1, 10.0)):
            every = Compose([_spatial(side, order), *_intensities()])
            rng = np.random.default_rng(0)
            same, agreement = _same_geometry(frame, data, side, order)
            taken, peers = in_turn(
                lambda frame=frame, rng=rng: _ours(frame, rng),
                lambda every=every, data=data: every(**{key: value.copy() for key, value in data.items()}),
                repeats=10 * repeats,
            )
            rows.append(
                Row(
                    work=f"augmentation of image and mask, {side} x {side}",
                    peer=f"batchgenerators, {'cubic (its default)' if order == 3 else 'linear, as ours'}",
                    ours=taken,
                    theirs=peers,
                    reach=reach,
                    agreement=agreement,
                    is_same=same,
                )
            )
    return rows


def _image(side: int) -> tuple[Frame, dict[str, np.ndarray]]:
    phantom = make_phantom(seed=3, index=0, long_side_px=side)
    pixels = cv2.resize(phantom.pixels, (side, side), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(phantom.mask, (side, side), interpolation=cv2.INTER_NEAREST)
    planes = (pixels / 255).astype(np.float32)[None]
    frame = Frame(
        planes=planes,
        coverage=label_coverage(mask, labels={"process": 1}, size=(side, side)),
        image_size=(side, side),
        network_size=(side, side),
        normalization="unit",
        resize="stretch",
        spacing_mm=None,
    )
    return frame, {"data": planes[None], "seg": mask[None, None].astype(np.float32)}


def _ours(frame: Frame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    draw = draw_augmentation(rng, RANGES, size=frame.network_size)
    draw = dataclasses.replace(draw, blur_px=max(MIN_BLUR_PX, draw.blur_px))
    return (
        apply_intensity(warp_image(frame, augmentation=draw.matrix), draw),
        warp_target(frame, augmentation=draw.matrix),
    )


def _spatial(side: int, order: int, **more: Any) -> SpatialTransform:
    radians = np.deg2rad(RANGES.rotation_deg)
    given = {"angle_x": (-radians, radians), "scale": RANGES.scale, **more}
    return SpatialTransform(
        (side, side),
        do_elastic_deform=False,
        random_crop=False,
        order_data=order,
        border_mode_data="constant",
        order_seg=0,
        **given,
    )


def _intensities() -> list[Any]:
    return [
        GaussianBlurTransform((MIN_BLUR_PX, RANGES.blur_px), p_per_sample=1.0),
        ContrastAugmentationTransform(RANGES.contrast),
        BrightnessTransform(0.0, RANGES.brightness),
        GaussianNoiseTransform((0.0, RANGES.noise**2)),
        GammaTransform(RANGES.gamma),
    ]


def _same_geometry(frame: Frame, data: dict[str, np.ndarray], side: int, order: int) -> tuple[bool, str]:
    """Compare masks and images of both after the same rotation and scaling."""
    radians = np.deg2rad(ANGLE_DEG)
    fixed = _spatial(side, order, angle_x=(radians, radians), scale=(SCALE, SCALE))
    theirs = fixed(**{key: value.copy() for key, value in data.items()})
    scores = []
    for angle in (ANGLE_DEG, -ANGLE_DEG):  # the two libraries use different signs of angles
        matrix = about_centre(
            size=(side, side), rotation_deg=angle, scale=1 / SCALE, shear_deg=0.0, translation_px=(0.0, 0.0)
        )
        target = warp_target(frame, augmentation=matrix)[0]
        image = warp_image(frame, augmentation=matrix)[0]
        apart = float(np.median(np.abs(image - theirs["data"][0, 0])))
        scores.append((dice(target, theirs["seg"][0, 0]), apart))
    overlap, apart = max(scores)
    text = f"the same rotation: Dice of the masks {overlap:.4f}, images differ by {apart:.4f} in the median"
    return overlap >= 0.98 and apart <= 0.01, text
