"""U-Net (Ronneberger et al. 2015; paper, 2.5.2), the convolutional baseline, out of MONAI's blocks."""

from __future__ import annotations

import torch
from monai.networks.nets.dynunet import DynUNet
from torch import nn

from cervseg.networks.base import check_divisible, check_input

# MONAI's name and arguments of each normalization, by ours.
NORMS = {
    "batch": ("batch", {}),
    "instance": ("instance", {"affine": True}),
    "group": ("group", {"num_groups": 8}),
}


class UNet(nn.Module):
    """B x in_channels x H x W, normalized, to logits B x num_labels x H x W.

    Two 3 x 3 convolutions at each resolution, halved ``num_levels`` times with the filters doubling each
    time, and back by transposed convolutions with skip connections. Published: 64 filters, 4 levels.

    Args:
        in_channels: of the image.
        num_labels: foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of 2**num_levels.
        features: filters at full resolution.
        num_levels: how often the resolution is halved.
        max_features: filters do not double beyond this.
        norm: "batch" (fastest), "instance" (for batches of one film) or "group" (of eight).

    Raises:
        ValueError: the sizes do not fit each other, or there is no such norm.
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
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}, not {norm!r}.")
        if num_levels < 1:
            raise ValueError(f"num_levels must be at least 1, not {num_levels}.")
        check_divisible(input_size, by=2**num_levels)
        self.in_channels, self.input_size = in_channels, (input_size[0], input_size[1])
        # DynUNet rather than BasicUNet: BasicUNet is fixed to four levels, keeps twice the channels in its
        # last upsampling, and takes 1.5 times as long a step.
        self.body = DynUNet(
            spatial_dims=2,
            in_channels=in_channels,
            out_channels=num_labels,
            kernel_size=[3] * (num_levels + 1),
            strides=[1] + [2] * num_levels,
            upsample_kernel_size=[2] * num_levels,
            filters=[min(features * 2**level, max_features) for level in range(num_levels + 1)],
            norm_name=NORMS[norm],
        )

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits B x num_labels x H x W of a float image B x in_channels x H x W.

        Raises:
            ValueError: the image is not of the size that the network was built for.
        """
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        logits_BLHW: torch.Tensor = self.body(image_BCHW)
        return logits_BLHW
