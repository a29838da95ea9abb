"""Resampling from the network frame back to the image's own grid."""

from __future__ import annotations

import cv2
import numpy as np

from cervseg.core.geometry import Placement


def to_image_grid(probabilities: np.ndarray, placement: Placement) -> np.ndarray:
    """L x h x w probabilities of the network frame at the image's own size: L x H x W float32, bilinear."""
    height, width = placement.image_size
    # WARP_INVERSE_MAP: warpAffine is given the map from the result's pixels to the source's.
    return np.stack(
        [
            cv2.warpAffine(
                np.ascontiguousarray(plane, dtype=np.float32),
                placement.matrix_to_network[:2],
                (width, height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for plane in probabilities
        ]
    )
