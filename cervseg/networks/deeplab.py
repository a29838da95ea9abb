"""DeepLabV3+ (Chen et al. 2018; paper, 2.5.1) with a ResNet encoder, from segmentation_models_pytorch."""

from __future__ import annotations

import segmentation_models_pytorch as smp
import torch
from torch import nn

from cervseg.networks.base import as_rgb, check_divisible, check_grey_or_rgb, check_input
from cervseg.networks.sizes import RESNET_ENCODERS

OUTPUT_STRIDE = 16
ATROUS_RATES = (6, 12, 18)  # Chen et al. use these for stride 16; the library's default is for stride 8
MULTIPLE_PX = 32  # the last features have at least 2 x 2 positions, enough to normalize over in one image


class DeepLabV3Plus(nn.Module):
    """DeepLabV3+ with a ResNet encoder.

    It maps normalized images B x in_channels x H x W to logits B x num_labels x H x W. The defaults are the
    published network.

    Args:
        in_channels: 1 (grey, repeated to three channels) or 3 (RGB).
        num_labels: number of foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of 32.
        encoder: the library's name of a ResNet.
        decoder_channels: channels of the atrous pyramid and of the decoder.

    Raises:
        ValueError: a size is invalid, or the encoder is unknown.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        num_labels: int = 1,
        input_size: tuple[int, int] = (512, 512),
        encoder: str = "resnet50",
        decoder_channels: int = 256,
    ) -> None:
        super().__init__()
        check_grey_or_rgb(in_channels)
        if encoder not in RESNET_ENCODERS:
            raise ValueError(f"encoder must be one of {', '.join(RESNET_ENCODERS)}, not {encoder!r}")
        check_divisible(input_size, by=MULTIPLE_PX)
        self.in_channels, self.input_size = in_channels, (input_size[0], input_size[1])
        body = smp.DeepLabV3Plus(
            encoder_name=encoder,
            encoder_weights=None,
            encoder_output_stride=OUTPUT_STRIDE,
            decoder_channels=decoder_channels,
            decoder_atrous_rates=ATROUS_RATES,
            in_channels=3,
            classes=num_labels,
        )
        self.encoder, self.decoder, self.head = body.encoder, body.decoder, body.segmentation_head
        _normalize_pooled_over_channels(self.decoder)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute logits B x num_labels x H x W.

        Args:
            image_BCHW: float, B x in_channels x H x W.

        Raises:
            ValueError: the image does not have the shape that the network was built for.
        """
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        logits_BLHW: torch.Tensor = self.head(self.decoder(self.encoder(as_rgb(image_BCHW))))
        return logits_BLHW


def _normalize_pooled_over_channels(decoder: nn.Module) -> None:
    """Replace the batch norm after the pyramid's global pooling by a norm over channels.

    Pooling leaves one value per image and channel. With one image per batch, as in the paper, the variance is
    undefined and torch raises an error. With two images, only the sign of their difference is left. Running
    statistics do not help, because at batch size 1 they are never computed. A norm over the channels of each
    image does not depend on the batch and is the same in training and prediction. The number of parameters
    does not change. The other batch norms average over many positions and stay.
    """
    pooling = decoder.aspp[0].convs[-1]  # type: ignore[index, union-attr]
    _, convolution, norm, _ = pooling
    assert isinstance(norm, nn.BatchNorm2d), "segmentation_models_pytorch has changed its pyramid"
    pooling[2] = nn.GroupNorm(1, convolution.out_channels)
