"""DeepLabV3+ (Chen et al. 2018; paper, 2.5.1) on a ResNet, out of segmentation_models_pytorch."""

from __future__ import annotations

import segmentation_models_pytorch as smp
import torch
from torch import nn

from cervseg.networks.base import as_rgb, check_divisible, check_grey_or_rgb, check_input
from cervseg.networks.sizes import RESNET_ENCODERS

OUTPUT_STRIDE = 16
ATROUS_RATES = (6, 12, 18)  # those of Chen et al. for this stride; the library's default is for stride 8
MULTIPLE_PX = 32  # the last features have 2 x 2 positions at least: enough to normalize over in one image


class DeepLabV3Plus(nn.Module):
    """B x in_channels x H x W, normalized, to logits B x num_labels x H x W.

    The defaults are the published network. Grey is repeated to the encoder's three channels.

    Args:
        in_channels: 1 (grey) or 3.
        num_labels: foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of 32.
        encoder: a ResNet, by the library's name.
        decoder_channels: of the pyramid of atrous convolutions, and of the decoder.

    Raises:
        ValueError: the sizes do not fit, or there is no such encoder.
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
            raise ValueError(f"encoder must be one of {', '.join(RESNET_ENCODERS)}, not {encoder!r}.")
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
        """Logits B x num_labels x H x W of a float image B x in_channels x H x W.

        Raises:
            ValueError: the image is not of the size that the network was built for.
        """
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        logits_BLHW: torch.Tensor = self.head(self.decoder(self.encoder(as_rgb(image_BCHW))))
        return logits_BLHW


def _normalize_pooled_over_channels(decoder: nn.Module) -> None:
    """Replace the batch normalization behind the pyramid's global pooling by one over channels.

    Pooling leaves one value an image and channel. Of a single image (the paper's batch) no variance can be
    taken, and torch refuses; of two images only the sign of their difference would be left. Its running
    statistics would be no way out: at batch 1 they never see an image. Normalized over its own channels, an
    image's pooled vector means the same in any batch, and in training as in prediction. The number of
    parameters stays. The other normalizations have many positions to average over.
    """
    pooling = decoder.aspp[0].convs[-1]  # type: ignore[index, union-attr]
    _, convolution, norm, _ = pooling
    assert isinstance(norm, nn.BatchNorm2d), "segmentation_models_pytorch has changed its pyramid"
    pooling[2] = nn.GroupNorm(1, convolution.out_channels)
