"""Blocks of CervSpineNet's decoder (Sawant et al. 2026, 2.4.3)."""

from __future__ import annotations

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """F + phi(K2 * phi(K1 * F + b1) + b2), phi = ReLU, K1 and K2 3 x 3 (Eq. 3); B x C x H x W stays so."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv3x3(channels, channels), nn.ReLU(), conv3x3(channels, channels), nn.ReLU()
        )

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Eq. 3."""
        result: torch.Tensor = feature_BCHW + self.body(feature_BCHW)
        return result


class SqueezeExcitation(nn.Module):
    """Channel weights s = sigmoid(W2 phi(W1 z)), z the spatial mean (Eq. 4-6); B x C x H x W stays so.

    Both linear layers carry a bias, although Eq. 5 prints none: only so does the network have the size
    that the paper reports (345 MB). The hidden width is channels // reduction, at least 1.
    """

    def __init__(self, *, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        squeeze = nn.Linear(channels, hidden)
        # What comes in is never negative (it left a ReLU). Weights of one sign keep every hidden unit alive
        # at the start; with a single unit, torch's own would leave half of all blocks dead for good.
        with torch.no_grad():
            squeeze.weight.abs_()
            squeeze.bias.abs_()
        self.excite = nn.Sequential(squeeze, nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Eq. 4-6."""
        weight_BC = self.excite(feature_BCHW.mean(dim=(2, 3)))
        # The weights may come in another precision under autocast; the map keeps its own.
        result: torch.Tensor = feature_BCHW * weight_BC[:, :, None, None].to(feature_BCHW.dtype)
        return result


class DecoderStage(nn.Module):
    """Conv3x3 + ReLU (Eq. 2) -> residual block -> SE block: B x C_in x H x W to B x C_out x H x W.

    The bilinear x2 (Eq. 7) that ends a stage is the decoder's: it may draw the last one past its 1 x 1
    convolution.
    """

    def __init__(self, *, in_channels: int, out_channels: int, se_reduction: int) -> None:
        super().__init__()
        self.convolution = nn.Sequential(conv3x3(in_channels, out_channels), nn.ReLU())
        self.residual = ResidualBlock(channels=out_channels)
        self.squeeze_excitation = SqueezeExcitation(channels=out_channels, reduction=se_reduction)

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Eq. 2-6, without Eq. 7."""
        result: torch.Tensor = self.squeeze_excitation(self.residual(self.convolution(feature_BCHW)))
        return result


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the size, for a ReLU to follow."""
    made = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
    # The decoder has no normalization: He's initialization keeps the signal's size through its ReLUs.
    nn.init.kaiming_normal_(made.weight, nonlinearity="relu")
    nn.init.zeros_(made.bias)  # type: ignore[arg-type]
    return made
