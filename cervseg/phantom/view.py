"""View of a phantom: image size, scale and position of the patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


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
