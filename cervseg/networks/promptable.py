"""The whole of SAM (Kirillov et al. 2023; paper, 2.5.3): a mask for every point, many images at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import nn
from torch.nn import functional
from typing_extensions import Unpack

from cervseg.networks.base import as_rgb, check_grey_or_rgb, check_input
from cervseg.networks.sam import EncoderArguments, image_encoder
from cervseg.networks.sizes import VIT_B

NO_PROMPT = -20.0  # the logit of a label that no point marks: a probability of 2e-9
POSITIVE = 1.0  # what the prompt encoder calls a point inside of a structure
# What one positive point and one mask never use: negative points, boxes, mask prompts, SAM's three further
# masks and its guess of their quality. Frozen, so that they stay as a SAM checkpoint had them.
UNUSED = (
    "prompt_encoder.point_embeddings.0.",
    "prompt_encoder.point_embeddings.2.",
    "prompt_encoder.point_embeddings.3.",
    "prompt_encoder.mask_downscaling.",
    "mask_decoder.iou_prediction_head.",
    "mask_decoder.output_hypernetworks_mlps.1.",
    "mask_decoder.output_hypernetworks_mlps.2.",
    "mask_decoder.output_hypernetworks_mlps.3.",
)


class PromptableSAM(nn.Module):
    """B x in_channels x H x W, normalized, and points in each image to logits B x num_labels x H x W.

    The layers of the prompt encoder and the mask decoder are segment-anything's, and every parameter has its
    name and shape: a SAM or MedSAM checkpoint loads key by key. What is ours is the fast image encoder and a
    decoder pass in which each point meets its own image. The defaults are the published network: 93,735,472
    parameters. ``takes_points`` tells a network of this kind.

    Args:
        in_channels: 1 (grey, repeated to the encoder's three channels) or 3.
        num_labels: foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of ``patch_size``.
        patch_size: side of a token in px.
        out_chans: channels of the encoder's features and width of the decoder, a multiple of 16.
        encoder: other arguments of :func:`cervseg.networks.sam.image_encoder`.

    Raises:
        ValueError: the sizes do not fit each other.
    """

    takes_points = True

    def __init__(
        self,
        *,
        in_channels: int = 1,
        num_labels: int = 1,
        input_size: tuple[int, int] = (1024, 1024),
        patch_size: int = VIT_B["patch_size"],
        out_chans: int = VIT_B["out_chans"],
        **encoder: Unpack[EncoderArguments],
    ) -> None:
        super().__init__()
        check_grey_or_rgb(in_channels)
        if out_chans % 16:
            raise ValueError(f"out_chans must be a multiple of 16, not {out_chans}: the decoder has 8 heads.")
        self.in_channels, self.num_labels = in_channels, num_labels
        self.input_size = (input_size[0], input_size[1])
        self.image_encoder = image_encoder(
            input_size=self.input_size, patch_size=patch_size, out_chans=out_chans, **encoder
        )
        self.prompt_encoder = PromptEncoder(
            embed_dim=out_chans,
            image_embedding_size=self.image_encoder.grid,
            input_image_size=self.input_size,
            mask_in_chans=16,
        )
        self.mask_decoder = MaskDecoder(
            transformer_dim=out_chans,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=out_chans, num_heads=8, mlp_dim=8 * out_chans
            ),
            num_multimask_outputs=3,
            iou_head_depth=3,
            iou_head_hidden_dim=out_chans,
        )
        for name, parameter in self.named_parameters():
            if name.startswith(UNUSED):
                parameter.requires_grad_(False)

    @property
    def encoder(self) -> nn.Module:
        """The image encoder, under the name that encoders have in other networks."""
        return self.image_encoder

    def forward(self, image_BCHW: torch.Tensor, points: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
        """Logits B x num_labels x H x W: a label's plane is the maximum over the masks of its points.

        A plane without points is :data:`NO_PROMPT` everywhere.

        Args:
            image_BCHW: float, B x in_channels x ``input_size``.
            points: one N_i x 3 tensor an image, rows (x, y, label plane): x and y in px of the network frame,
                pixel centres at whole numbers; the plane counts from 0. N_i may be 0.

        Raises:
            ValueError: there are no points, or points or image are not of these shapes.
        """
        if points is None:
            raise ValueError(
                "this network segments what points mark: give points=, one N x 3 tensor "
                "(x, y, label plane) an image."
            )
        return self.merge(self.prompt_logits(image_BCHW, points), points)

    def prompt_logits(self, image_BCHW: torch.Tensor, points: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits N x H x W: a mask for each point of all images, in the images' order; N may be 0.

        Arguments and errors are those of :meth:`forward`.
        """
        return self.decode(self.features(image_BCHW), points)

    def features(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """The image encoder's features B x out_chans x h x w.

        Raises:
            ValueError: the image is not of the size that the network was built for.
        """
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        feature_BCHW: torch.Tensor = self.image_encoder(as_rgb(image_BCHW))
        return feature_BCHW

    def decode(self, feature_BCHW: torch.Tensor, points: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits N x H x W of images that the image encoder has seen already; see :meth:`prompt_logits`."""
        _check_points(points, num_images=len(feature_BCHW), num_labels=self.num_labels)
        device = feature_BCHW.device
        image_N = torch.repeat_interleave(
            torch.arange(len(points), device=device),
            torch.tensor([len(image) for image in points], device=device),
        )
        point_N2 = torch.cat([image[:, :2] for image in points]).to(device)
        return self.masks(feature_BCHW.index_select(0, image_N), point_N2)

    def masks(self, feature_NCHW: torch.Tensor, point_N2: torch.Tensor) -> torch.Tensor:
        """Logits N x H x W: a mask for each point (x, y), in px of the frame, in its own image's features."""
        point_N12 = point_N2.float()[:, None]
        # In float32 under autocast too: a position in bfloat16 is off by several px.
        with torch.autocast(feature_NCHW.device.type, enabled=False):
            sparse_NTC, dense_NCHW = self.prompt_encoder(
                points=(point_N12, torch.full_like(point_N12[..., 0], POSITIVE)), boxes=None, masks=None
            )
            position_1CHW = self.prompt_encoder.get_dense_pe()
        logits_NHW = self._small_masks(feature_NCHW + dense_NCHW, position_1CHW, sparse_NTC=sparse_NTC)
        return functional.interpolate(
            logits_NHW[:, None], size=self.input_size, mode="bilinear", align_corners=False
        )[:, 0]

    def merge(self, logits_NHW: torch.Tensor, points: Sequence[torch.Tensor]) -> torch.Tensor:
        """The masks of :meth:`prompt_logits` as B x num_labels x H x W, see :meth:`forward`."""
        plane_N = torch.cat(
            [index * self.num_labels + image[:, 2].long() for index, image in enumerate(points)]
        ).to(logits_NHW.device)
        nothing_HW = logits_NHW.new_full(logits_NHW.shape[1:], NO_PROMPT)
        planes = []
        for plane in range(len(points) * self.num_labels):
            own_NHW = logits_NHW[plane_N == plane]
            planes.append(own_NHW.amax(0) if len(own_NHW) else nothing_HW)
        return torch.stack(planes).view(len(points), self.num_labels, *logits_NHW.shape[1:])

    def _small_masks(
        self, feature_NCHW: torch.Tensor, position_1CHW: torch.Tensor, *, sparse_NTC: torch.Tensor
    ) -> torch.Tensor:
        """Logits N x h x w at four times the features' size, the first of SAM's four masks.

        segment-anything's decoder repeats every image for every prompt, B x N masks where N are wanted; here
        each row of the batch is a prompt with its own image.
        """
        decoder = self.mask_decoder
        own_TC = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        token_NTC = torch.cat([own_TC.expand(sparse_NTC.shape[0], -1, -1), sparse_NTC], dim=1)
        token_NTC, feature_NTC = decoder.transformer(feature_NCHW, position_1CHW, token_NTC)
        fine_NCHW = decoder.output_upscaling(feature_NTC.transpose(1, 2).reshape(feature_NCHW.shape))
        weight_NC = decoder.output_hypernetworks_mlps[0](token_NTC[:, 1])  # the token after the quality's
        return torch.einsum("nc,nchw->nhw", weight_NC, fine_NCHW)


def _check_points(points: Sequence[torch.Tensor], *, num_images: int, num_labels: int) -> None:
    if len(points) != num_images:
        raise ValueError(f"there are points for {len(points)} image(s), but {num_images} image(s).")
    for image in points:
        if image.ndim != 2 or image.shape[1] != 3:
            raise ValueError(
                f"points are N x 3 an image (x, y, label plane), not {' x '.join(map(str, image.shape))}."
            )
        if not ((image[:, 2] >= 0) & (image[:, 2] < num_labels)).all():
            raise ValueError(f"a point's label plane must lie in 0 to {num_labels - 1}.")
