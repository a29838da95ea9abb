"""Boundary terms: distance maps, Eq. 12 as published, and a differentiable surrogate."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from torch import nn

UNIT = 0.005  # unit of distance, as a share of the image side
REACH = 0.02  # upper limit of distances, as a share of the image side


class HausdorffSurrogate(nn.Module):
    """Hausdorff surrogate mean((p - y)^2 (D_p + D_y)) (Karimi & Salcudean 2019, alpha = 1).

    D_p and D_y are the distances to the boundaries of p > 0.5 and of y. Both are constants for the gradient.
    They are measured as shares of the image side sqrt(H W), so that a shape has the same loss at every
    resolution, clipped at ``reach`` and divided by ``unit``.

    Reason for ``unit`` and ``reach``: the gradient of an error is |p - y| D / (unit N), compared with 1 / A
    for Dice and a target of A of N pixels. With distances in pixels, or without clipping, this term has 90 %
    of the gradient while the whole image is uncertain (97 % of an image is far background), which slows
    training. With the diagonal as unit it has almost no gradient. Clipped at the thickness of a spinous
    process, it dominates while the mask is still far off, and Dice and Tversky dominate once the errors are
    one pixel wide. For a mask without a boundary, all distances equal ``reach``, so an empty target has
    uniform weights.

    Args:
        unit: unit of distance, as a share of the image side.
        reach: upper limit of distances, as a share of the image side.
    """

    takes_logits = False

    def __init__(self, *, unit: float = UNIT, reach: float = REACH) -> None:
        super().__init__()
        self.unit, self.reach = unit, reach

    def forward(self, probability_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
        """Compute the surrogate.

        Args:
            probability_BLHW: float in [0, 1].
            target_BLHW: float {0, 1}, the same shape.

        Returns:
            A scalar in [0, 2 reach / unit].
        """
        side_px = math.sqrt(probability_BLHW.shape[2] * probability_BLHW.shape[3])
        both = torch.stack([probability_BLHW.detach() > 0.5, target_BLHW > 0.5])
        field_px = distance_maps(both, limit_px=self.reach * side_px).sum(0)
        weight_BLHW = field_px.to(probability_BLHW.dtype) / (self.unit * side_px)
        term: torch.Tensor = ((probability_BLHW - target_BLHW).square() * weight_BLHW).mean()
        return term


@torch.no_grad()
def hausdorff_dt(probability_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
    """Compute Eq. 12 as published: the mean of |D_p - D_y| over pixels and planes, without a gradient.

    Args:
        probability_BLHW: float in [0, 1]; the prediction is p > 0.5.
        target_BLHW: float {0, 1}, the same shape.

    Returns:
        A scalar in px.
    """
    difference = distance_maps(probability_BLHW > 0.5) - distance_maps(target_BLHW > 0.5)
    return difference.abs().mean()


def distance_maps(mask: torch.Tensor, *, limit_px: float | None = None) -> torch.Tensor:
    """Compute :func:`boundary_distance` of every plane of a tensor.

    Args:
        mask: bool, ... x H x W with at least one leading axis.
        limit_px: upper limit of the distances in px; by default none.

    Returns:
        Distances in px, float32, with the shape and on the device of ``mask``.
    """
    planes = mask.detach().flatten(0, -3).to("cpu", torch.uint8).numpy()
    maps = np.stack([boundary_distance(plane) for plane in planes])
    if limit_px is not None:
        np.minimum(maps, limit_px, out=maps)
    return torch.from_numpy(maps).view(mask.shape).to(mask.device)


def boundary_distance(mask: np.ndarray) -> np.ndarray:
    """Compute the Euclidean distance of every pixel centre to the boundary of a mask.

    The boundary is between adjacent pixels of different value. These boundary pixels, on both sides, are half
    a pixel away from it. The distance of any other pixel is its exact Euclidean distance to the nearest
    boundary pixel plus half a pixel. The edge of the image is not a boundary. For a mask without a boundary
    (empty or full), all distances equal the diagonal of the image.

    Args:
        mask: H x W uint8 of {0, 1}.

    Returns:
        Distances in px, H x W float32, at least 0.5.
    """
    inner = np.ones_like(mask)
    for axis in (0, 1):
        change = np.diff(mask, axis=axis) != 0
        lower = [slice(None)] * 2
        upper = [slice(None)] * 2
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        inner[tuple(lower)][change] = 0
        inner[tuple(upper)][change] = 0
    if inner.all():
        return np.full(mask.shape, math.hypot(*mask.shape), dtype=np.float32)
    distance: np.ndarray = cv2.distanceTransform(inner, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) + np.float32(0.5)
    return distance
