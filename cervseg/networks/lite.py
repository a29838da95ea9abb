"""LiteUNet: a U-Net on EfficientNet-Lite0 (Tan & Le 2019; Lite: Liu 2020), fast on a CPU.

EfficientNet-Lite0 is EfficientNet-B0 without squeeze-and-excitation, with ReLU6 for swish. The encoder equals
timm's ``tf_efficientnet_lite0`` (a test compares them); it stands here because importing timm takes longer
than segmenting an image.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from cervseg.networks.base import check_divisible, check_input
from cervseg.networks.sizes import LITE_WIDTHS

STEM = 32
# Kernel, stride, expansion, filters, repeats of each stage of inverted residual blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
SKIPS = (0, 1, 2, 4)  # the last stages at strides 2, 4, 8 and 16; stage 6 ends at stride 32
REDUCTION = 32


class SamePadConv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding: at stride 2 the larger half goes to the bottom right.

    On a CPU, a depthwise convolution that trains in bfloat16 is computed in float32: bfloat16 gradients
    take five times as long, which would nearly double the time of a step of the whole network.
    """

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Convolve B x C x H x W to B x C' x ceil(H / stride) x ceil(W / stride)."""
        if self.groups > 1 and self.weight.requires_grad and _is_mixed_on_cpu(feature_BCHW):
            with torch.autocast("cpu", enabled=False):
                return self._convolved(feature_BCHW.float()).to(feature_BCHW.dtype)
        return self._convolved(feature_BCHW)

    def _convolved(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return functional.conv2d(
                feature_BCHW, self.weight, self.bias, padding=kernel // 2, groups=self.groups
            )
        pads: list[int] = []
        for side in (feature_BCHW.shape[3], feature_BCHW.shape[2]):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        padded = functional.pad(feature_BCHW, pads)
        return functional.conv2d(padded, self.weight, self.bias, stride=stride, groups=self.groups)


def _is_mixed_on_cpu(feature_BCHW: torch.Tensor) -> bool:
    is_training = torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")
    return is_training and feature_BCHW.device.type == "cpu"


def _conv(before: int, after: int, *, kernel: int, stride: int = 1, groups: int = 1) -> SamePadConv:
    return SamePadConv(before, after, kernel, stride=stride, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.1)


class InvertedResidual(nn.Module):
    """Expand, convolve each channel alone, project; added to its input where the shapes allow it."""

    def __init__(self, before: int, after: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [_conv(before, inner, kernel=1), _norm(inner), nn.ReLU6(inplace=True)]
        layers += [
            _conv(inner, inner, kernel=kernel, stride=stride, groups=inner),
            _norm(inner),
            nn.ReLU6(inplace=True),
            _conv(inner, after, kernel=1),
            _norm(after),
        ]
        self.layers = nn.Sequential(*layers)
        self.is_residual = stride == 1 and before == after

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """B x ``before`` x H x W to B x ``after`` x H / stride x W / stride."""
        made: torch.Tensor = self.layers(feature_BCHW)
        return made + feature_BCHW if self.is_residual else made


class LiteEncoder(nn.Module):
    """EfficientNet-Lite0 without its head: 3.4 M parameters.

    Takes B x 3 x H x W to five features of 16, 24, 40, 112 and 320 channels at strides 2, 4, 8, 16 and 32.

    Args:
        num_stages: stages of :data:`STAGES` that are built; with fewer, the last features are missing.
    """

    def __init__(self, num_stages: int = len(STAGES)) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, STEM, kernel=3, stride=2), _norm(STEM), nn.ReLU6(inplace=True))
        stages, before = [], STEM
        for kernel, stride, expansion, after, repeats in STAGES[:num_stages]:
            blocks = []
            for number in range(repeats):
                first = number == 0
                blocks.append(
                    InvertedResidual(
                        before, after, kernel=kernel, stride=stride if first else 1, expansion=expansion
                    )
                )
                before = after
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, image_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Features of an image, finest first."""
        feature_BCHW, features = self.stem(image_BCHW), []
        for number, stage in enumerate(self.stages):
            feature_BCHW = stage(feature_BCHW)
            if number in SKIPS:
                features.append(feature_BCHW)
        return features if len(self.stages) - 1 in SKIPS else [*features, feature_BCHW]


class LiteUNet(nn.Module):
    """B x in_channels x H x W, normalized, to logits B x num_labels x H x W.

    Args:
        in_channels: of the image; grey is repeated to the encoder's three channels, other numbers of channels
            are mixed to three, which start as their mean.
        num_labels: foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of 32.
        decoder_widths: filters of the decoder at strides 16, 8, 4 and 2.

    Raises:
        ValueError: the sizes do not fit each other.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        num_labels: int = 1,
        input_size: tuple[int, int] = (512, 512),
        decoder_widths: Sequence[int] = (128, 64, 48, 32),
    ) -> None:
        super().__init__()
        check_divisible(input_size, by=REDUCTION)
        self.in_channels, self.input_size = in_channels, (input_size[0], input_size[1])
        self.adapt = nn.Identity() if in_channels in (1, 3) else _mean_of(in_channels)
        self.encoder = LiteEncoder()
        *skips, deepest = LITE_WIDTHS
        wider = (deepest, *decoder_widths[:-1])
        self.up = nn.ModuleList(
            _Up(before, skip, after)
            for before, skip, after in zip(wider, skips[::-1], decoder_widths, strict=True)
        )
        self.head = nn.Conv2d(decoder_widths[-1], num_labels, kernel_size=3, padding=1)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits B x num_labels x H x W of a float image B x in_channels x H x W.

        Raises:
            ValueError: the image is not of the size that the network was built for.
        """
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        image_BCHW = image_BCHW.expand(-1, 3, -1, -1) if self.in_channels == 1 else self.adapt(image_BCHW)
        *skips, feature_BCHW = self.encoder(image_BCHW)
        for up in self.up:
            feature_BCHW = up(feature_BCHW, skips.pop())
        logits_BLHW: torch.Tensor = self.head(feature_BCHW)
        return functional.interpolate(logits_BLHW, scale_factor=2.0, mode="bilinear", align_corners=False)


def _mean_of(channels: int) -> nn.Conv2d:
    """A convolution to three channels that starts as the mean of its input, so equal channels act as grey."""
    mix = nn.Conv2d(channels, 3, kernel_size=1)
    nn.init.constant_(mix.weight, 1 / channels)
    assert mix.bias is not None
    nn.init.zeros_(mix.bias)
    return mix


class _Up(nn.Module):
    """B x before x h x w and a skip connection B x skip x 2h x 2w to B x after x 2h x 2w."""

    def __init__(self, before: int, skip: int, after: int) -> None:
        super().__init__()
        self.merge = nn.Sequential(
            nn.Conv2d(before + skip, after, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )

    def forward(self, feature_BCHW: torch.Tensor, skip_BCHW: torch.Tensor) -> torch.Tensor:
        """See the class."""
        enlarged = functional.interpolate(feature_BCHW, scale_factor=2.0, mode="nearest")
        merged: torch.Tensor = self.merge(torch.cat((enlarged, skip_BCHW), dim=1))
        return merged
