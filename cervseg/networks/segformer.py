"""SegFormer (Xie et al. 2021) guided by a text (paper, 2.5.4), from segmentation_models_pytorch.

The code and the ImageNet weights of its MiT encoder are NVIDIA's, licensed for research and evaluation only.
"""

from __future__ import annotations

import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.nn import functional

from cervseg.networks.base import as_rgb, check_divisible, check_grey_or_rgb, check_input
from cervseg.networks.sizes import MIT_ENCODERS

MULTIPLE_PX = 32  # the last stage of the encoder has 1/32 of the image's height and width
INITIAL_SPREAD = 0.02  # standard deviation of the channel scales around 1 before training


class TextSegFormer(nn.Module):
    """SegFormer whose last encoder stage is scaled by a text vector.

    It maps normalized images B x in_channels x H x W to logits B x num_labels x H x W. A linear projection of
    one frozen text vector scales the channels of the last MiT stage, equally for every image and position.
    The vector is a buffer and thus part of a checkpoint, so prediction and resuming need no text encoder.
    Until :meth:`set_text` is called, the vector is zero and has no effect.

    Args:
        in_channels: 1 (grey, repeated to three channels) or 3 (RGB).
        num_labels: number of foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of 32.
        encoder: the library's name of a MiT. The paper gives no size.
        decoder_channels: channels of the decoder.
        text_dim: length of the text vector; the built-in text encoder has 384.

    Raises:
        ValueError: a size is invalid, or the encoder is unknown.
    """

    text_D: torch.Tensor

    def __init__(
        self,
        *,
        in_channels: int = 1,
        num_labels: int = 1,
        input_size: tuple[int, int] = (512, 512),
        encoder: str = "mit_b2",
        decoder_channels: int = 256,
        text_dim: int = 384,
    ) -> None:
        super().__init__()
        check_grey_or_rgb(in_channels)
        if encoder not in MIT_ENCODERS:
            raise ValueError(f"encoder must be one of {', '.join(MIT_ENCODERS)}, not {encoder!r}")
        check_divisible(input_size, by=MULTIPLE_PX)
        self.in_channels, self.input_size = in_channels, (input_size[0], input_size[1])
        body = smp.Segformer(
            encoder_name=encoder,
            encoder_weights=None,
            decoder_segmentation_channels=decoder_channels,
            in_channels=3,
            classes=num_labels,
        )
        self.encoder, self.decoder, self.head = body.encoder, body.decoder, body.segmentation_head
        self.register_buffer("text_D", torch.zeros(text_dim))
        # Scales start around 1, so that the decoder gets the features of the pretrained encoder. With torch's
        # initialization they would be near 0 and almost remove the last stage. For a text of norm 1, the
        # standard deviation of the scales is that of the weights.
        self.projection = nn.Linear(text_dim, self.encoder.out_channels[-1])
        nn.init.normal_(self.projection.weight, std=INITIAL_SPREAD)
        nn.init.ones_(self.projection.bias)

    def set_text(self, text_D: torch.Tensor) -> None:
        """Set the text vector; it is normalized to norm 1.

        Args:
            text_D: float vector of length ``text_dim``.

        Raises:
            ValueError: the vector has a wrong length, is zero or not finite.
        """
        if text_D.shape != self.text_D.shape:
            shape = " x ".join(map(str, text_D.shape))
            raise ValueError(f"this network takes a text vector of {len(self.text_D)} numbers, not {shape}")
        if not torch.isfinite(text_D).all() or not text_D.any():
            raise ValueError("a text vector must be finite and not zero")
        self.text_D.copy_(functional.normalize(text_D.float(), dim=0))

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute logits B x num_labels x H x W.

        Args:
            image_BCHW: float, B x in_channels x H x W.

        Raises:
            ValueError: the image does not have the shape that the network was built for.
        """
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        *features, last_BCHW = self.encoder(as_rgb(image_BCHW))
        scale_C = self.projection(self.text_D)
        # Under autocast the scales may have another dtype; the features keep theirs.
        last_BCHW = last_BCHW * scale_C[:, None, None].to(last_BCHW.dtype)
        logits_BLHW: torch.Tensor = self.head(self.decoder([*features, last_BCHW]))
        return logits_BLHW
