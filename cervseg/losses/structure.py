"""Structural term: 1 - SSIM of a probability map and a mask (Sawant et al. 2026, Eq. 13 and 18)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

WINDOW_PX = 11
SIGMA_PX = 1.5
C1, C2 = 0.01**2, 0.03**2  # for a data range of 1


class StructuralSimilarity(nn.Module):
    """Loss 1 - SSIM with an 11 x 11 Gaussian window (sigma 1.5 px) that stays inside the image.

    SSIM = (2 m_p m_y + C1)(2 s_py + C2) / ((m_p^2 + m_y^2 + C1)(s_p^2 + s_y^2 + C2)) at every position of the
    window, averaged over positions and planes (Wang et al. 2004). The Gaussian is separable, so each map is
    filtered along rows and then along columns: 22 products per pixel instead of 121.
    """

    takes_logits = False
    kernel: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        offset = torch.arange(WINDOW_PX, dtype=torch.float64) - WINDOW_PX // 2
        kernel = torch.exp(-0.5 * (offset / SIGMA_PX) ** 2)
        self.register_buffer("kernel", kernel / kernel.sum(), persistent=False)

    def forward(self, probability_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
        """Compute Eq. 13.

        Args:
            probability_BLHW: float in [0, 1], height and width at least 11 px.
            target_BLHW: float {0, 1}, the same shape.

        Returns:
            A scalar in [0, 2].

        Raises:
            ValueError: the maps are smaller than the window.
        """
        if min(probability_BLHW.shape[2:]) < WINDOW_PX:
            raise ValueError(f"SSIM needs maps of at least {WINDOW_PX} x {WINDOW_PX} px")
        p = probability_BLHW.flatten(0, 1)
        y = target_BLHW.flatten(0, 1)
        # A mask equals its square, so four maps are filtered, not five.
        mean_p, mean_y, mean_pp, mean_py = self._blur(torch.stack([p, y, p * p, p * y])).unbind(0)
        var_p, var_y = mean_pp - mean_p**2, mean_y - mean_y**2
        covariance = mean_py - mean_p * mean_y
        luminance = (2 * mean_p * mean_y + C1) / (mean_p**2 + mean_y**2 + C1)
        loss: torch.Tensor = 1 - (luminance * (2 * covariance + C2) / (var_p + var_y + C2)).mean()
        return loss

    def _blur(self, map_MPHW: torch.Tensor) -> torch.Tensor:
        # The maps are channels of one image, channels last. Only in this layout is a depthwise convolution of
        # few channels fast on a CPU (40 times as fast as one image per map).
        kernel = self.kernel.to(map_MPHW)
        num_maps = map_MPHW.shape[0] * map_MPHW.shape[1]
        image = map_MPHW.flatten(0, 1)[None].contiguous(memory_format=torch.channels_last)
        image = functional.conv2d(image, kernel.view(1, 1, 1, -1).repeat(num_maps, 1, 1, 1), groups=num_maps)
        image = functional.conv2d(image, kernel.view(1, 1, -1, 1).repeat(num_maps, 1, 1, 1), groups=num_maps)
        # Back to separate planes: the following steps work on one map at a time.
        return image[0].contiguous().reshape(*map_MPHW.shape[:2], *image.shape[2:])
