"""U-Net (Ronneberger et al. 2015; paper, 2.5.2), the convolutional baseline."""

from __future__ import annotations

import torch
from torch import nn

from cervseg.networks.base import check_input
from cervseg.networks.convolution import initialize, level_widths, run_down, two_convolutions


class UNet(nn.Module):
    """U-Net with two 3 x 3 convolutions per resolution.

    It maps normalized images B x in_channels x H x W to logits B x num_labels x H x W. Strided convolutions
    of the encoder halve the resolution ``num_levels`` times, and the filters double each time. The decoder
    has transposed convolutions and skip connections. The published network has 64 filters and 4 levels.

    Args:
        in_channels: number of channels of the image.
        num_labels: number of foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of 2**num_levels.
        features: filters at full resolution.
        num_levels: number of times the resolution is halved.
        max_features: upper limit of the filters, which double from level to level.
        norm: "batch" (fastest), "instance" (for batches of one image) or "group" (8 groups).

    Raises:
        ValueError: the sizes are incompatible, or the norm is unknown.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        num_labels: int = 1,
        input_size: tuple[int, int] = (512, 512),
        features: int = 64,
        num_levels: int = 4,
        max_features: int = 1024,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        widths = level_widths(
            input_size=input_size,
            features=features,
            num_levels=num_levels,
            max_features=max_features,
            norm=norm,
        )
        self.in_channels, self.input_size = in_channels, (input_size[0], input_size[1])
        self.down = nn.ModuleList(
            two_convolutions(before, after, norm=norm, stride=2 if level else 1)
            for level, (before, after) in enumerate(zip((in_channels, *widths), widths))
        )
        self.up = nn.ModuleList(
            _Up(below, here, norm=norm) for below, here in zip(widths[:0:-1], widths[-2::-1])
        )
        self.head = nn.Conv2d(widths[0], num_labels, kernel_size=1)
        initialize(self.modules())

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute logits B x num_labels x H x W.

        Args:
            image_BCHW: float, B x in_channels x H x W.

        Raises:
            ValueError: the image does not have the shape that the network was built for.
        """
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        feature_BCHW, skips = run_down(self.down, image_BCHW)
        for up in self.up:
            feature_BCHW = up(feature_BCHW, skips.pop())
        logits_BLHW: torch.Tensor = self.head(feature_BCHW)
        return logits_BLHW


class _Up(nn.Module):
    """Decoder stage: features B x below x H x W and a skip B x here x 2H x 2W to B x here x 2H x 2W."""

    def __init__(self, below: int, here: int, *, norm: str) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(below, here, kernel_size=2, stride=2, bias=False)
        self.merge = two_convolutions(2 * here, here, norm=norm)

    def forward(self, feature_BCHW: torch.Tensor, skip_BCHW: torch.Tensor) -> torch.Tensor:
        """Upsample the features, concatenate the skip connection and merge both."""
        merged: torch.Tensor = self.merge(torch.cat((self.enlarge(feature_BCHW), skip_BCHW), dim=1))
        return merged
