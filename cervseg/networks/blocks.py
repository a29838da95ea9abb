"""Blocks of the decoder of CervSpineNet (Sawant et al. 2026, 2.4.3)."""

from __future__ import annotations

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """Residual block F + phi(K2 * phi(K1 * F + b1) + b2) (Eq. 3); phi is ReLU, K1 and K2 are 3 x 3.

    Input and output are B x C x H x W.

    Args:
        channels: number of channels C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv3x3(channels, channels), nn.ReLU(), conv3x3(channels, channels), nn.ReLU()
        )

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute Eq. 3.

        Args:
            feature_BCHW: features F.
        """
        result: torch.Tensor = feature_BCHW + self.body(feature_BCHW)
        return result


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation block: multiply channels by s = sigmoid(W2 phi(W1 z)) (Eq. 4-6).

    z is the spatial mean. Input and output are B x C x H x W. Both linear layers have a bias, although Eq. 5
    shows none: only with biases does the network have the size that the paper reports (345 MB).

    Args:
        channels: number of channels C.
        reduction: the hidden width is channels // reduction, at least 1.
    """

    def __init__(self, *, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        squeeze = nn.Linear(channels, hidden)
        # The input is never negative, because it comes from a ReLU. Non-negative weights keep every hidden
        # unit active at the start. With torch's initialization and a single unit, half of the blocks would
        # be inactive and never learn.
        with torch.no_grad():
            squeeze.weight.abs_()
            squeeze.bias.abs_()
        self.excite = nn.Sequential(squeeze, nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute Eq. 4-6.

        Args:
            feature_BCHW: features F.
        """
        weight_BC = self.excite(feature_BCHW.mean(dim=(2, 3)))
        # Under autocast the weights may have another dtype; the features keep theirs.
        result: torch.Tensor = feature_BCHW * weight_BC[:, :, None, None].to(feature_BCHW.dtype)
        return result


class DecoderStage(nn.Module):
    """Decoder stage: 3 x 3 convolution and ReLU (Eq. 2), residual block, SE block.

    It maps B x C_in x H x W to B x C_out x H x W. The bilinear upsampling by 2 that ends a stage (Eq. 7) is
    in the decoder, which can apply the last one after its 1 x 1 convolution.

    Args:
        in_channels: channels C_in of the input.
        out_channels: channels C_out of the output.
        se_reduction: channels per hidden unit of the SE block.
    """

    def __init__(self, *, in_channels: int, out_channels: int, se_reduction: int) -> None:
        super().__init__()
        self.convolution = nn.Sequential(conv3x3(in_channels, out_channels), nn.ReLU())
        self.residual = ResidualBlock(channels=out_channels)
        self.squeeze_excitation = SqueezeExcitation(channels=out_channels, reduction=se_reduction)

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute Eq. 2-6, without the upsampling of Eq. 7.

        Args:
            feature_BCHW: features, B x C_in x H x W.
        """
        result: torch.Tensor = self.squeeze_excitation(self.residual(self.convolution(feature_BCHW)))
        return result


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Build a 3 x 3 convolution that keeps height and width, initialized for a ReLU after it.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """
    layer = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
    # The decoder has no normalization. He's initialization keeps the variance through its ReLUs.
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
