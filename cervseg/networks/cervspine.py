"""CervSpineNet (Sawant et al. 2026, 2.4): SAM's image encoder and a decoder without skip connections."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import Unpack

from cervseg.networks.base import as_rgb, check_grey_or_rgb, check_input
from cervseg.networks.blocks import DecoderStage
from cervseg.networks.sam import EncoderArguments, image_encoder
from cervseg.networks.sizes import VIT_B


class EncoderDecoder(nn.Module):
    """Network of an encoder and a decoder without skip connections.

    It maps normalized images B x in_channels x H x W to logits B x num_labels x H x W.

    Args:
        in_channels: 1 (grey, repeated to three channels) or 3 (RGB).
        input_size: (height, width) in px.
        encoder: maps B x 3 x H x W to features B x C x h x w.
        decoder: maps these features to logits.

    Raises:
        ValueError: ``in_channels`` is neither 1 nor 3.
    """

    def __init__(
        self, *, in_channels: int, input_size: tuple[int, int], encoder: nn.Module, decoder: nn.Module
    ) -> None:
        super().__init__()
        check_grey_or_rgb(in_channels)
        self.in_channels, self.input_size = in_channels, (input_size[0], input_size[1])
        self.encoder, self.decoder = encoder, decoder

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute logits B x num_labels x H x W.

        Args:
            image_BCHW: float, B x in_channels x H x W.

        Raises:
            ValueError: the image does not have the shape that the network was built for.
        """
        return self.decode(self.encode(image_BCHW))

    def encode(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute the encoder's features B x C x h x w.

        Args:
            image_BCHW: float, B x in_channels x H x W.

        Raises:
            ValueError: the image does not have the shape that the network was built for.
        """
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        feature_BCHW: torch.Tensor = self.encoder(as_rgb(image_BCHW))
        return feature_BCHW

    def decode(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute logits B x num_labels x H x W of the encoder's features.

        Args:
            feature_BCHW: the result of :meth:`encode`.
        """
        logits_BLHW: torch.Tensor = self.decoder(feature_BCHW)
        return logits_BLHW


class CervSpineNet(EncoderDecoder):
    """CervSpineNet: SAM's image encoder and a decoder of residual and SE blocks.

    It maps normalized images B x in_channels x H x W to logits B x num_labels x H x W. The defaults are the
    published network: 90,457,984 parameters, 345.07 MiB in float32.

    Args:
        in_channels: 1 (grey, repeated to three channels) or 3 (RGB).
        num_labels: number of foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of ``patch_size``.
        patch_size: side of a patch in px, a power of two.
        out_chans: channels of the encoder's features.
        decoder_widths: channels of the decoder stages; the first log2(patch_size) are used.
        se_reduction: channels per hidden unit of the squeeze-and-excitation blocks.
        encoder: other arguments of :func:`cervseg.networks.sam.image_encoder`.

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
        se_reduction: int = 16,
        **encoder: Unpack[EncoderArguments],
    ) -> None:
        image_part = image_encoder(
            input_size=input_size, patch_size=patch_size, out_chans=out_chans, **encoder
        )
        decoder = Decoder(
            in_channels=out_chans,
            num_labels=num_labels,
            widths=stage_widths(decoder_widths, patch_size=patch_size),
            stage=partial(DecoderStage, se_reduction=se_reduction),
        )
        super().__init__(in_channels=in_channels, input_size=input_size, encoder=image_part, decoder=decoder)


class Decoder(nn.Module):
    """Decoder: stages that each double height and width (Eq. 2-7), then a 1 x 1 convolution.

    Args:
        in_channels: channels of the encoder's features.
        num_labels: number of logit planes.
        widths: channels of the stages; n stages upsample by 2**n.
        stage: builds a stage that keeps the size; takes ``in_channels`` and ``out_channels``.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_labels: int,
        widths: tuple[int, ...],
        stage: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            stage(in_channels=before, out_channels=after)
            for before, after in zip((in_channels, *widths), widths)
        )
        self.head = nn.Conv2d(widths[-1], num_labels, kernel_size=1)

    def forward(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute logits at 2**len(widths) times the size of the features.

        Args:
            feature_BCHW: features of the encoder, B x C x h x w.
        """
        *inner, last = self.stages
        for stage in inner:
            feature_BCHW = _double(stage(feature_BCHW))
        # A 1 x 1 convolution and bilinear interpolation commute exactly: both are linear, and the weights of
        # the interpolation sum to 1. Upsampling the logits therefore equals the published upsampling of 16
        # channels, at a sixteenth of the memory and time.
        return _double(self.head(last(feature_BCHW)))


def _double(feature_BCHW: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(feature_BCHW, scale_factor=2, mode="bilinear", align_corners=False)


def stage_widths(widths: tuple[int, ...], *, patch_size: int) -> tuple[int, ...]:
    """Return the first log2(patch_size) widths; each stage doubles the size, from patches to pixels.

    Args:
        widths: channels of the decoder stages.
        patch_size: side of a patch in px, a power of two.

    Raises:
        ValueError: ``patch_size`` is not a power of two, or there are too few widths.
    """
    num_stages = round(math.log2(patch_size))
    if 2**num_stages != patch_size or num_stages < 1:
        raise ValueError(f"patch_size must be a power of two and at least 2, not {patch_size}")
    if len(widths) < num_stages:
        raise ValueError(
            f"patch_size {patch_size} needs {num_stages} decoder stages, but decoder_widths has {len(widths)}"
        )
    return tuple(widths[:num_stages])
