"""nnU-Net's networks: plain (Isensee et al. 2021) and with a residual encoder (Isensee et al. 2024)."""

from __future__ import annotations

import torch
from torch import nn

from cervseg.networks.base import check_input
from cervseg.networks.convolution import (
    NEGATIVE_SLOPE,
    convolution,
    initialize,
    level_widths,
    run_down,
    two_convolutions,
)
from cervseg.networks.sizes import RESIDUAL_BLOCKS


class DynUNet(nn.Module):
    """U-Net of nnU-Net 2 with a plain or a residual encoder.

    It maps normalized images B x in_channels x H x W to logits B x num_labels x H x W. The plain encoder has
    two 3 x 3 convolutions per stage. The residual encoder has a 3 x 3 convolution and then 1, 3, 4, 6, 6, ...
    residual blocks per stage. Strided convolutions halve the resolution. The decoder has a transposed
    convolution, a skip connection and two convolutions per stage (one with the residual encoder).

    Two things differ from nnU-Net 2: convolutions before a norm have no bias, because the norm cancels it,
    and there is no output at the lowest resolution, which has weight 0 in nnU-Net's loss. The defaults are
    nnU-Net's network for 512 x 512 px: 46,312,934 parameters, with the residual encoder 139,983,334.

    Args:
        in_channels: number of channels of the image.
        num_labels: number of foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of 2**num_levels.
        features: filters at full resolution.
        num_levels: number of times the resolution is halved.
        max_features: upper limit of the filters, which double from level to level.
        norm: "instance" (nnU-Net's), "batch" or "group" (8 groups).
        residual_encoder: use residual blocks in the encoder.

    Raises:
        ValueError: the sizes are incompatible, or the norm is unknown.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        num_labels: int = 1,
        input_size: tuple[int, int] = (512, 512),
        features: int = 32,
        num_levels: int = 7,
        max_features: int = 512,
        norm: str = "instance",
        residual_encoder: bool = False,
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
        stage = _residual_stage if residual_encoder else _plain_stage
        self.encoder = nn.ModuleList(
            stage(before, after, level=level, norm=norm)
            for level, (before, after) in enumerate(zip((in_channels, *widths), widths))
        )
        self.enlarge, self.merge = nn.ModuleList(), nn.ModuleList()
        for below, here in zip(widths[:0:-1], widths[-2::-1]):
            self.enlarge.append(nn.ConvTranspose2d(below, here, kernel_size=2, stride=2))
            merging = [convolution(2 * here, here, norm=norm)]
            if not residual_encoder:
                merging.append(convolution(here, here, norm=norm))
            self.merge.append(nn.Sequential(*merging))
        self.heads = nn.ModuleList(
            nn.Conv2d(width, num_labels, kernel_size=1) for width in widths[: max(1, num_levels - 1)]
        )
        self._initialize()

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute logits B x num_labels x H x W.

        Args:
            image_BCHW: float, B x in_channels x H x W.

        Raises:
            ValueError: the image does not have the shape that the network was built for.
        """
        logits_BLHW: torch.Tensor = self.heads[0](self._decoded(image_BCHW)[0])
        return logits_BLHW

    def deep_logits(self, image_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Compute the logits for deep supervision.

        Args:
            image_BCHW: float, B x in_channels x H x W.

        Returns:
            Logits of :meth:`forward`, then logits at 1/2, 1/4, ... of the size. The lowest resolution of the
            decoder is left out unless it is the only one.

        Raises:
            ValueError: the image does not have the shape that the network was built for.
        """
        return [head(feature_BCHW) for head, feature_BCHW in zip(self.heads, self._decoded(image_BCHW))]

    def _decoded(self, image_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Compute the decoder's features B x C x h x w, from full resolution down."""
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        feature_BCHW, skips = run_down(self.encoder, image_BCHW)
        decoded = list[torch.Tensor]()
        for enlarge, merge in zip(self.enlarge, self.merge):
            feature_BCHW = merge(torch.cat((enlarge(feature_BCHW), skips.pop()), dim=1))
            decoded.append(feature_BCHW)
        return decoded[::-1]

    def _initialize(self) -> None:
        """Initialize as nnU-Net does: He's method, and zero for the last norm of each residual block."""
        initialize(self.modules())
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.body[-1].norm.weight)  # type: ignore[union-attr, arg-type]


class ResidualBlock(nn.Module):
    """Residual block phi(shortcut(F) + body(F)) of ResNet-D (He et al. 2019); phi is a leaky ReLU.

    It maps B x C_in x H x W to B x C_out x H / stride x W / stride. The body is two 3 x 3 convolutions with
    norms. The shortcut has an average pooling if the stride is not 1, and a 1 x 1 convolution with a norm if
    the numbers of channels differ.

    Args:
        before: channels C_in of the input.
        after: channels C_out of the output.
        stride: stride of the first convolution.
        norm: a key of :data:`~cervseg.networks.convolution.NORMS`.
    """

    def __init__(self, before: int, after: int, *, stride: int, norm: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(before, after, norm=norm, stride=stride),
            convolution(after, after, norm=norm, activated=False),
        )
        shortcut: list[nn.Module] = [nn.AvgPool2d(stride)] if stride > 1 else []
        if before != after:
            shortcut.append(convolution(before, after, norm=norm, kernel_size=1, activated=False))
        self.shortcut = nn.Sequential(*shortcut)
        self.activation = nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute phi(shortcut(F) + body(F)).

        Args:
            feature_BCHW: features F, B x C_in x H x W.
        """
        result: torch.Tensor = self.activation(self.shortcut(feature_BCHW) + self.body(feature_BCHW))
        return result


def _plain_stage(before: int, after: int, *, level: int, norm: str) -> nn.Sequential:
    return two_convolutions(before, after, norm=norm, stride=2 if level else 1)


def _residual_stage(before: int, after: int, *, level: int, norm: str) -> nn.Sequential:
    num_blocks = RESIDUAL_BLOCKS[min(level, len(RESIDUAL_BLOCKS) - 1)]
    stem = [] if level else [convolution(before, after, norm=norm)]
    first = ResidualBlock(before if level else after, after, stride=2 if level else 1, norm=norm)
    rest = [ResidualBlock(after, after, stride=1, norm=norm) for _ in range(num_blocks - 1)]
    return nn.Sequential(*stem, first, *rest)
