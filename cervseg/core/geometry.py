"""Affine maps between an image and the frame of a network, and their exact inverses.

Pixel centres are the integers: the pixel in row r and column c has its centre at the point (c, r), as in
OpenCV. All matrices are 2 x 3 or 3 x 3 float64 and act on column vectors (x, y, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Box = tuple[float, float, float, float]  # (top, left, bottom, right) as fractions of an image
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The affine map between an image and its network frame.

    Args:
        image_size: (height, width) of the image in px.
        network_size: (height, width) of the network frame in px.
        to_network: 3 x 3 row-major nested tuple, image point (x, y, 1) -> network point.
    """

    image_size: tuple[int, int]
    network_size: tuple[int, int]
    to_network: tuple[tuple[float, float, float], ...]

    @property
    def matrix_to_network(self) -> np.ndarray:
        """The 3 x 3 float64 matrix from image to network."""
        return np.array(self.to_network, dtype=np.float64)

    @property
    def matrix_to_image(self) -> np.ndarray:
        """The 3 x 3 float64 matrix from network to image, the inverse of ``matrix_to_network``."""
        return np.linalg.inv(self.matrix_to_network)


def scale_matrix(scale_x: float, scale_y: float) -> np.ndarray:
    """Build the 3 x 3 matrix of a resize in the half-pixel convention of cv2.resize."""
    return np.array(
        [[scale_x, 0.0, 0.5 * scale_x - 0.5], [0.0, scale_y, 0.5 * scale_y - 0.5], [0.0, 0.0, 1.0]]
    )


def place(
    *,
    image_size: tuple[int, int],
    network_size: tuple[int, int],
    resize: str,
    crop: Box = WHOLE,
) -> Placement:
    """Place an image, or a part of it, in a network frame.

    Args:
        image_size: (height, width) of the image in px.
        network_size: (height, width) of the network frame in px.
        resize: "stretch" fills the frame and changes the aspect ratio; "pad" keeps the aspect ratio and
            centres the image, with margins that are equal within one pixel.
        crop: the part of the image that is placed: (top, left, bottom, right) as fractions of its height and
            width. With "pad", what lies beyond it in the image shows in the margins.

    Raises:
        ValueError: ``resize`` is neither "pad" nor "stretch", or a size is not positive.
    """
    top, left, bottom, right = crop
    height, width = (bottom - top) * image_size[0], (right - left) * image_size[1]
    net_height, net_width = network_size
    if min(*image_size, net_height, net_width) < 1 or min(height, width) <= 0:
        raise ValueError(f"sizes must be positive, got {image_size} and {network_size}")
    if resize == "stretch":
        matrix = scale_matrix(net_width / width, net_height / height)
    elif resize == "pad":
        scale = min(net_width / width, net_height / height)
        matrix = scale_matrix(scale, scale)
        matrix[0, 2] += (net_width - scale * width) / 2
        matrix[1, 2] += (net_height - scale * height) / 2
    else:
        raise ValueError(f'resize must be "pad" or "stretch", got {resize!r}')
    # Pixel centres are integers: the crop begins half a pixel before the centre of its first pixel.
    matrix = matrix @ translation_matrix(-left * image_size[1], -top * image_size[0])
    return Placement(image_size=image_size, network_size=network_size, to_network=as_rows(matrix))


def translation_matrix(x: float, y: float) -> np.ndarray:
    """Build the 3 x 3 matrix of a translation in px."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def around(boxes: Sequence[Box]) -> Box | None:
    """Return the box (top, left, bottom, right) around boxes; None around none."""
    if not boxes:
        return None
    tops, lefts, bottoms, rights = zip(*boxes, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


def as_rows(matrix: np.ndarray) -> tuple[tuple[float, float, float], ...]:
    """Convert a 3 x 3 array to nested tuples, which a frozen dataclass can compare and store."""
    return tuple((float(row[0]), float(row[1]), float(row[2])) for row in matrix)


def about_centre(
    *,
    size: tuple[int, int],
    rotation_deg: float,
    scale: float,
    shear_deg: float,
    translation_px: tuple[float, float],
    flip_horizontal: bool = False,
    flip_vertical: bool = False,
) -> np.ndarray:
    """Build the 3 x 3 matrix that flips, shears, scales and rotates about a frame's centre, then translates.

    Args:
        size: (height, width) of the frame in px.
        rotation_deg: positive rotates counter-clockwise on the screen (y points down).
        scale: factor; above 1 enlarges.
        shear_deg: angle of the horizontal shear.
        translation_px: (x, y).
        flip_horizontal: mirror left and right.
        flip_vertical: mirror top and bottom.
    """
    height, width = size
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    angle, shear = np.deg2rad(rotation_deg), np.tan(np.deg2rad(shear_deg))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cos, sin], [-sin, cos]]) @ np.array([[1.0, shear], [0.0, 1.0]])
    linear = linear @ np.diag([-1.0 if flip_horizontal else 1.0, -1.0 if flip_vertical else 1.0])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = np.array([centre_x, centre_y]) - linear @ np.array([centre_x, centre_y])
    matrix[:2, 2] += translation_px
    return matrix


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Map N x 2 points (x, y) through a 3 x 3 affine; returns N x 2 float64."""
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    mapped: np.ndarray = points @ matrix[:2, :2].T + matrix[:2, 2]
    return mapped
