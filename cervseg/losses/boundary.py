"""Boundary terms: distance maps, Eq. 12 as printed, and the surrogate that can be trained with."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from torch import nn

UNIT = 0.005  # of the image side: what counts as one unit of distance
REACH = 0.02  # of the image side: further away than this, all errors count alike


class HausdorffSurrogate(nn.Module):
    """mean((p - y)^2 (D_p + D_y)), D the distance to the boundary (Karimi & Salcudean 2019, alpha = 1).

    D_p belongs to p > 0.5 and is a constant to the gradient, as D_y is. Both are measured in shares of the
    image side sqrt(H W), so that a shape scores the same at every resolution, cut at ``reach`` and divided
    by ``unit``. Why these two: an error's slope here is |p - y| D / (unit N), beside Dice's 1 / A for a
    target of A of N pixels. With raw pixels, or uncut distances, the term holds 90 % of the gradient as long
    as the whole image is uncertain (an image is 97 % far background) and slows the fit; with the diagonal as
    unit it holds nothing. Cut at the thickness of a spinous process, it leads while the mask is being found,
    and hands over to Dice and Tversky once the errors are a pixel wide. A mask without any boundary is out of
    reach everywhere, so an empty target pulls evenly.

    Args:
        unit: share of the image side that is one unit of distance.
        reach: share of the image side where distances are cut.
    """

    takes_logits = False

    def __init__(self, *, unit: float = UNIT, reach: float = REACH) -> None:
        super().__init__()
        self.unit, self.reach = unit, reach

    def forward(self, probability_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
        """The term of probabilities in [0, 1] and targets in {0, 1}; in [0, 2 reach / unit]."""
        side_px = math.sqrt(probability_BLHW.shape[2] * probability_BLHW.shape[3])
        both = torch.stack([probability_BLHW.detach() > 0.5, target_BLHW > 0.5])
        field_px = distance_maps(both, limit_px=self.reach * side_px).sum(0)
        weight_BLHW = field_px.to(probability_BLHW.dtype) / (self.unit * side_px)
        term: torch.Tensor = ((probability_BLHW - target_BLHW).square() * weight_BLHW).mean()
        return term


@torch.no_grad()
def hausdorff_dt(probability_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
    """Eq. 12 as printed: the mean of |D_p - D_y| over pixels and planes, in px; it has no gradient."""
    difference = distance_maps(probability_BLHW > 0.5) - distance_maps(target_BLHW > 0.5)
    return difference.abs().mean()


def distance_maps(mask: torch.Tensor, *, limit_px: float | None = None) -> torch.Tensor:
    """:func:`boundary_distance` of every plane of a bool tensor ... x H x W: float32, on its device.

    Args:
        mask: bool, any number of leading axes.
        limit_px: larger distances are cut to this.
    """
    planes = mask.detach().flatten(0, -3).to("cpu", torch.uint8).numpy()
    maps = np.stack([boundary_distance(plane) for plane in planes])
    if limit_px is not None:
        np.minimum(maps, limit_px, out=maps)
    return torch.from_numpy(maps).view(mask.shape).to(mask.device)


def boundary_distance(mask: np.ndarray) -> np.ndarray:
    """Euclidean distance in px of every pixel's centre to the boundary of a mask.

    The boundary runs between pixels that differ. Its pixels, on either side, are half a pixel from it; every
    other pixel is half a pixel further from it than from the nearest of them (exact Euclidean transform).
    The edge of the image is no boundary. A mask without boundary (empty or full) is one diagonal away from
    every pixel.

    Args:
        mask: H x W uint8 of {0, 1}.

    Returns:
        H x W float32, at least 0.5.
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
