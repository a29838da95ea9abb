"""CervSpineNet with a part replaced (Sawant et al. 2026, 2.7.1): a plain CNN encoder, a simple decoder."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from typing_extensions import Unpack

from cervseg.networks.base import check_divisible
from cervseg.networks.blocks import DecoderStage, conv3x3
from cervseg.networks.cervspine import Decoder, EncoderDecoder, stage_widths
from cervseg.networks.sam import EncoderArguments, image_encoder
from cervseg.networks.sizes import VIT_B


class PureCNNBasic(EncoderDecoder):
    """B x in_channels x H x W, normalized, to logits B x num_labels x H x W: both parts simple.

    The defaults are the published network as this project reads it: 780,833 parameters.

    Args:
        in_channels: 1 (grey, repeated to the encoder's three channels) or 3.
        num_labels: foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of ``patch_size``.
        patch_size: how much smaller the encoder's features are, a power of two.
        out_chans: their channels, a multiple of half of ``patch_size``.
        decoder_widths: channels of the decoder's stages; the first log2(patch_size) of them are used.

    Raises:
        ValueError: the sizes do not fit each other.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        num_labels: int = 1,
        input_size: tuple[int, int] = (1024, 1024),
        patch_size: int = VIT_B["patch_size"],
        out_chans: int = VIT_B["out_chans"],
        decoder_widths: tuple[int, ...] = (128, 64, 32, 16),
    ) -> None:
        widths = stage_widths(decoder_widths, patch_size=patch_size)
        check_divisible(input_size, by=patch_size)
        super().__init__(
            in_channels=in_channels,
            input_size=input_size,
            encoder=cnn_encoder(num_blocks=len(widths), out_chans=out_chans),
            decoder=Decoder(in_channels=out_chans, num_labels=num_labels, widths=widths, stage=SimpleStage),
        )


class PureCNNFull(EncoderDecoder):
    """The encoder of :class:`PureCNNBasic` and CervSpineNet's decoder: 1,175,968 parameters.

    Args:
        se_reduction: channels a hidden unit of the squeeze-and-excitation blocks.

    The others, and what it raises, are :class:`PureCNNBasic`'s.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        num_labels: int = 1,
        input_size: tuple[int, int] = (1024, 1024),
        patch_size: int = VIT_B["patch_size"],
        out_chans: int = VIT_B["out_chans"],
        decoder_widths: tuple[int, ...] = (128, 64, 32, 16),
        se_reduction: int = 16,
    ) -> None:
        widths = stage_widths(decoder_widths, patch_size=patch_size)
        check_divisible(input_size, by=patch_size)
        stage = partial(DecoderStage, se_reduction=se_reduction)
        super().__init__(
            in_channels=in_channels,
            input_size=input_size,
            encoder=cnn_encoder(num_blocks=len(widths), out_chans=out_chans),
            decoder=Decoder(in_channels=out_chans, num_labels=num_labels, widths=widths, stage=stage),
        )


class ViTBasic(EncoderDecoder):
    """SAM's image encoder and the decoder of :class:`PureCNNBasic`: 90,062,849 parameters.

    Args:
        encoder: the encoder's other sizes, see :func:`cervseg.networks.sam.image_encoder`.

    The others, and what it raises, are :class:`PureCNNBasic`'s.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        num_labels: int = 1,
        input_size: tuple[int, int] = (1024, 1024),
        patch_size: int = VIT_B["patch_size"],
        out_chans: int = VIT_B["out_chans"],
        decoder_widths: tuple[int, ...] = (128, 64, 32, 16),
        **encoder: Unpack[EncoderArguments],
    ) -> None:
        widths = stage_widths(decoder_widths, patch_size=patch_size)
        super().__init__(
            in_channels=in_channels,
            input_size=input_size,
            encoder=image_encoder(
                input_size=input_size, patch_size=patch_size, out_chans=out_chans, **encoder
            ),
            decoder=Decoder(in_channels=out_chans, num_labels=num_labels, widths=widths, stage=SimpleStage),
        )


class SimpleStage(nn.Module):
    """A decoder's stage without residual and SE block: 3 x 3 convolution and ReLU (Eq. 2).

    Named as in :class:`~cervseg.networks.blocks.DecoderStage`.
    """

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Sequential(conv3x3(in_channels, out_channels), nn.ReLU())

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """B x in_channels x H x W to B x out_channels x H x W."""
        result: torch.Tensor = self.convolution(feature_BCHW)
        return result


def cnn_encoder(*, num_blocks: int, out_chans: int) -> nn.Sequential:
    """Blocks of 3 x 3 convolution, batch norm, ReLU and 2 x 2 max pooling: B x 3 x H x W to 1/2**num_blocks.

    The paper names the first and the last channels, 3 and 256; here they double from block to block, up to
    ``out_chans``: 32, 64, 128, 256. Convolutions have no bias, which the norm would take away.

    Raises:
        ValueError: ``out_chans`` cannot be halved often enough.
    """
    if out_chans % 2 ** (num_blocks - 1):
        raise ValueError(
            f"out_chans {out_chans} must be a multiple of {2 ** (num_blocks - 1)}: "
            f"the channels of {num_blocks} blocks double up to it."
        )
    widths = [out_chans // 2**left for left in reversed(range(num_blocks))]
    return nn.Sequential(
        *(
            nn.Sequential(
                nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2),
            )
            for before, after in zip((3, *widths), widths)
        )
    )
