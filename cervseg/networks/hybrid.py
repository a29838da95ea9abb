"""Tokens out of convolutions: the hybrid vision transformer (Dosovitskiy et al. 2021, 3.1).

A small transformer with random weights needs far more images than a lab has: it first has to learn what a
convolution knows. Here its tokens are features of EfficientNet-Lite0, whose weights come with cervseg.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from cervseg.networks.lite import SKIPS, LiteEncoder
from cervseg.networks.lite_weights import load_lite_imagenet
from cervseg.networks.shipped_start import start_from_shipped
from cervseg.networks.sizes import LITE_WIDTHS, VIT_B

# px per token -> index of EfficientNet-Lite0's last stage at this stride, and its channels.
LAST_STAGES = {2**n: (stage, width) for n, (stage, width) in enumerate(zip(SKIPS, LITE_WIDTHS), start=1)}


class LiteTokens(nn.Module):
    """EfficientNet-Lite0 up to the stride of a token, then a 1 x 1 convolution.

    It maps images B x 3 x H x W to tokens B x H / patch_size x W / patch_size x embed_dim.

    Args:
        embed_dim: width C of the tokens.
        patch_size: px per token: 2, 4, 8 or 16.

    Raises:
        ValueError: ``patch_size`` is another number.
    """

    def __init__(self, embed_dim: int, *, patch_size: int = VIT_B["patch_size"]) -> None:
        super().__init__()
        if patch_size not in LAST_STAGES:
            choices = ", ".join(map(str, LAST_STAGES))
            raise ValueError(f'stem "lite" has a patch_size of {choices}, not {patch_size}')
        last, channels = LAST_STAGES[patch_size]
        self.features = LiteEncoder(last + 1)
        self.proj = nn.Conv2d(channels, embed_dim, kernel_size=1)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute one token per patch.

        Args:
            image_BCHW: float, of mean 0 and standard deviation 1 where the weights are pretrained.
        """
        token_BCHW: torch.Tensor = self.proj(self.features(image_BCHW)[-1])
        return token_BCHW.permute(0, 2, 3, 1)


def load_tokens(network: nn.Module) -> Mapping[str, str | None]:
    """Load weights into the convolutions that make tokens: those of the shipped LiteUNet, else ImageNet's.

    Args:
        network: on the CPU; changed in place.

    Returns:
        "tokens" -> the source of the weights, "other parts" -> None (random weights); empty, and an unchanged
        network, without such convolutions.

    Raises:
        CheckpointError: the package with the ImageNet weights is not installed, or its file has changed.
    """
    for module in network.modules():
        if isinstance(module, LiteTokens):
            shipped = start_from_shipped(module.features, architecture="lite_unet", labels={}, part="encoder")
            return {"tokens": shipped or load_lite_imagenet(module.features), "other parts": None}
    return {}
