"""Masks of a phantom, rasterized from the outlines of its bones."""

from __future__ import annotations

import cv2
import numpy as np

from cervseg.phantom.anatomy import LEVELS, Anatomy
from cervseg.phantom.view import View

# The classes of anatomy beside the processes of C1 to C7; where they overlap, the first one wins.
ANATOMY = ("thoracic", "vertebral_body", "arch", "skull", "jaw")
_THORACIC_LEVELS = ("T1", "T2")
_MASK_OVERSAMPLING = 4


def process_masks(anatomy: Anatomy, view: View) -> dict[str, np.ndarray]:
    """Rasterize the processes of C1 to C7.

    Returns:
        "C1".."C7" -> H x W uint8 {0, 1}; a pixel is 1 if the process covers at least half of it.
    """
    return {level: _rasterize(anatomy.process_outlines_mm(level), view) for level in LEVELS}


def anatomy_masks(anatomy: Anatomy, view: View) -> dict[str, np.ndarray]:
    """Rasterize the bones beside the processes of C1 to C7.

    Returns:
        The names of ``ANATOMY`` -> H x W uint8 {0, 1}; the masks overlap. "thoracic" are the processes of T1
        and T2, "vertebral_body" the bodies of C2 to T2 with the dens, "arch" the arches of C1 to T2 without
        their processes.
    """
    outlines: dict[str, list[np.ndarray]] = {name: [] for name in ANATOMY}
    head = anatomy.skull.parts()
    for level in _THORACIC_LEVELS:
        outlines["thoracic"] += anatomy.process_outlines_mm(level)
    for vertebra in anatomy.vertebrae:
        parts = vertebra.parts()
        outlines["vertebral_body"].append(parts["body"][0].outline_mm)
        outlines["arch"] += [solid.outline_mm for solid in (*parts["pillars"], *parts["lamina"])]
    for name in ("arch", "skull", "jaw"):
        outlines[name] += [solid.outline_mm for solid in head[name]]
    return {name: _rasterize(each, view, oversampling=1) for name, each in outlines.items()}


def _rasterize(
    outlines_mm: list[np.ndarray], view: View, *, oversampling: int = _MASK_OVERSAMPLING
) -> np.ndarray:
    """Rasterize the union of outlines: H x W uint8, 1 where one of them covers at least half of the pixel."""
    mask = np.zeros(view.size_px, dtype=np.uint8)
    matrix = view.mm_to_px()
    for outline in outlines_mm:
        points = outline @ matrix[:, :2].T + matrix[:, 2]
        low = np.maximum(np.floor(points.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 2, view.size_px[::-1])
        if np.any(high <= low):
            continue
        n = oversampling
        fine = np.zeros(((high - low) * n)[::-1], dtype=np.uint8)
        cv2.fillPoly(fine, [np.round(((points - low + 0.5) * n - 0.5) * 64).astype(np.int32)], 255, shift=6)
        cover = cv2.resize(fine, tuple(int(s) for s in high - low), interpolation=cv2.INTER_AREA)
        window = mask[low[1] : high[1], low[0] : high[0]]
        np.maximum(window, (cover >= 128).astype(np.uint8), out=window)
    return mask
