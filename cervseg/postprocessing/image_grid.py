"""Resampling of probabilities from the network frame to the image grid."""

from __future__ import annotations

import cv2
import numpy as np

from cervseg.core.geometry import Placement


def to_image_grid(probabilities: np.ndarray, placement: Placement) -> np.ndarray:
    """Resample probabilities from the network frame to the image's size, bilinear.

    Args:
        probabilities: L x h x w, any float dtype, in the network frame.
        placement: placement of the image in the network frame.

    Returns:
        L x H x W float32, in the size of the image.
    """
    height, width = placement.image_size
    resampled = np.empty((len(probabilities), height, width), dtype=np.float32)
    for plane, at_image_size in zip(probabilities, resampled, strict=True):
        # WARP_INVERSE_MAP: the matrix maps pixels of the result to pixels of the source.
        cv2.warpAffine(
            np.ascontiguousarray(plane, dtype=np.float32),
            placement.matrix_to_network[:2],
            (width, height),
            dst=at_image_size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return resampled
