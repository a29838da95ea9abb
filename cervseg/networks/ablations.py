"""Architectural ablations of CervSpineNet (Sawant et al. 2026, 2.7.1): CNN encoder, simple decoder."""

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
    """CNN encoder and simple decoder.

    Maps normalized images B x in_channels x H x W to logits B x num_labels x H x W. The defaults follow the
    paper's description: 780,833 parameters.

    Args:
        in_channels: 1 (grey, repeated to three channels) or 3 (RGB).
        num_labels: number of foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of ``patch_size``.
        patch_size: downsampling factor of the encoder, a power of two.
        out_chans: channels of the encoder's features, a multiple of ``patch_size`` / 2.
        decoder_widths: channels of the decoder stages; the first log2(patch_size) are used.

    Raises:
        ValueError: the sizes are incompatible.
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
    """CNN encoder of :class:`PureCNNBasic` and decoder of CervSpineNet: 1,175,968 parameters.

    The other arguments and the exceptions are those of :class:`PureCNNBasic`.

    Args:
        se_reduction: channels per hidden unit of the squeeze-and-excitation blocks.
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

    The other arguments and the exceptions are those of :class:`PureCNNBasic`.

    Args:
        encoder: other arguments of :func:`cervseg.networks.sam.image_encoder`.
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
    """Decoder stage without residual and SE blocks: 3 x 3 convolution and ReLU (Eq. 2).

    The parameter names are those of :class:`~cervseg.networks.blocks.DecoderStage`.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Sequential(conv3x3(in_channels, out_channels), nn.ReLU())

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute ReLU(K * F + b).

        Args:
            feature_BCHW: features F, B x in_channels x H x W.

        Returns:
            B x out_channels x H x W.
        """
        result: torch.Tensor = self.convolution(feature_BCHW)
        return result


def cnn_encoder(*, num_blocks: int, out_chans: int) -> nn.Sequential:
    """Build blocks of 3 x 3 convolution, batch norm, ReLU and 2 x 2 max pooling.

    The encoder maps B x 3 x H x W to B x out_chans x H / 2**num_blocks x W / 2**num_blocks. The paper gives
    only the first and last number of channels, 3 and 256. Here they double from block to block up to
    ``out_chans``: 32, 64, 128, 256. Convolutions have no bias, because batch norm cancels it.

    Args:
        num_blocks: number of blocks.
        out_chans: channels of the last block.

    Raises:
        ValueError: ``out_chans`` is not a multiple of 2**(num_blocks - 1).
    """
    if out_chans % 2 ** (num_blocks - 1):
        raise ValueError(
            f"out_chans {out_chans} must be a multiple of {2 ** (num_blocks - 1)}: "
            f"channels double from block to block in {num_blocks} blocks"
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
