"""SegFormer (Xie et al. 2021) guided by a text (paper, 2.5.4), out of segmentation_models_pytorch.

The code and the ImageNet weights of its MiT encoder are NVIDIA's, licensed for research and evaluation only.
"""

from __future__ import annotations

import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.nn import functional

from cervseg.networks.base import as_rgb, check_divisible, check_grey_or_rgb, check_input
from cervseg.networks.sizes import MIT_ENCODERS

MULTIPLE_PX = 32  # the encoder's last stage has a 32nd of the image's height and width
INITIAL_SPREAD = 0.02  # standard deviation of the channels' scales around 1, before training


class TextSegFormer(nn.Module):
    """B x in_channels x H x W, normalized, to logits B x num_labels x H x W.

    A linear projection of one frozen text vector scales the channels of the last MiT stage, alike for every
    image and position. The vector is a buffer: a checkpoint carries it, so that neither prediction nor
    resuming needs a text encoder. Until :meth:`set_text` is called it is zero, and scales nothing.

    Args:
        in_channels: 1 (grey, repeated to the encoder's three channels) or 3.
        num_labels: foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of 32.
        encoder: a MiT, by the library's name. The paper gives no size.
        decoder_channels: of the decoder.
        text_dim: length of the text vector; 384 is that of the built-in text encoder.

    Raises:
        ValueError: the sizes do not fit, or there is no such encoder.
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
            raise ValueError(f"encoder must be one of {', '.join(MIT_ENCODERS)}, not {encoder!r}.")
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
        # Scales start around 1, so that the decoder sees the features that the encoder was pretrained to
        # give. torch's own start would draw them around 0 and all but erase the last stage: with a text of
        # norm 1 their standard deviation is that of the weights.
        self.projection = nn.Linear(text_dim, self.encoder.out_channels[-1])
        nn.init.normal_(self.projection.weight, std=INITIAL_SPREAD)
        nn.init.ones_(self.projection.bias)

    def set_text(self, text_D: torch.Tensor) -> None:
        """Condition the network on a text: a float vector of ``text_dim``, brought to norm 1.

        Raises:
            ValueError: the vector has another length, is zero or not finite.
        """
        if text_D.shape != self.text_D.shape:
            shape = " x ".join(map(str, text_D.shape))
            raise ValueError(f"this network takes a text of {len(self.text_D)} numbers, not {shape}.")
        if not torch.isfinite(text_D).all() or not text_D.any():
            raise ValueError("a text vector must be finite and not zero.")
        self.text_D.copy_(functional.normalize(text_D.float(), dim=0))

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits B x num_labels x H x W of a float image B x in_channels x H x W.

        Raises:
            ValueError: the image is not of the size that the network was built for.
        """
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        *features, last_BCHW = self.encoder(as_rgb(image_BCHW))
        scale_C = self.projection(self.text_D)
        # The scales may come in another precision under autocast; the features keep theirs.
        last_BCHW = last_BCHW * scale_C[:, None, None].to(last_BCHW.dtype)
        logits_BLHW: torch.Tensor = self.head(self.decoder([*features, last_BCHW]))
        return logits_BLHW
