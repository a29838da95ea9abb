"""Complete SAM (Kirillov et al. 2023; paper, 2.5.3): one mask per point, for a batch of images."""

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

NO_PROMPT = -20.0  # logit of a label without a point: a probability of 2e-9
POSITIVE = 1.0  # the prompt encoder's label of a point inside a structure
# Parameters that one positive point and one mask do not use: negative points, boxes, mask prompts, the three
# other masks of SAM and its estimate of their quality. They are frozen, so they stay as in a SAM checkpoint.
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
    """SAM with one positive point per structure.

    It maps normalized images B x in_channels x H x W and points in each image to logits
    B x num_labels x H x W. The layers of the prompt encoder and the mask decoder are segment-anything's, with
    the same parameter names and shapes, so SAM and MedSAM checkpoints load key by key. The fast image encoder
    and the decoder pass, which pairs each point with its own image, are our own. The defaults are the
    published network: 93,735,472 parameters. ``takes_points`` marks a network that takes points.

    Args:
        in_channels: 1 (grey, repeated to three channels) or 3 (RGB).
        num_labels: number of foreground labels, one logit plane each.
        input_size: (height, width) in px, multiples of ``patch_size``.
        patch_size: side of a token in px.
        out_chans: channels of the encoder's features and width of the decoder, a multiple of 16.
        encoder: other arguments of :func:`cervseg.networks.sam.image_encoder`.

    Raises:
        ValueError: the sizes are incompatible.
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
            raise ValueError(f"out_chans must be a multiple of 16, not {out_chans}: the decoder has 8 heads")
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
        """The image encoder, under the name that other networks use."""
        return self.image_encoder

    def forward(self, image_BCHW: torch.Tensor, points: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
        """Compute logits B x num_labels x H x W, the maximum over the masks of each label's points.

        A plane without points is :data:`NO_PROMPT` everywhere.

        Args:
            image_BCHW: float, B x in_channels x ``input_size``.
            points: one N_i x 3 tensor per image with rows (x, y, label plane); x and y in px of the network
                frame, pixel centres at integers; planes are counted from 0. N_i may be 0.

        Raises:
            ValueError: points are missing, or the points or the image have a wrong shape.
        """
        if points is None:
            raise ValueError(
                "this network needs points: pass points=, one N x 3 tensor (x, y, label plane) per image"
            )
        return self.merge(self.prompt_logits(image_BCHW, points), points)

    def prompt_logits(self, image_BCHW: torch.Tensor, points: Sequence[torch.Tensor]) -> torch.Tensor:
        """Compute logits N x H x W: one mask per point, in the order of the images; N may be 0.

        Args:
            image_BCHW: as for :meth:`forward`.
            points: as for :meth:`forward`.

        Raises:
            ValueError: as for :meth:`forward`.
        """
        return self.decode(self.features(image_BCHW), points)

    def features(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute the image encoder's features B x out_chans x h x w.

        Args:
            image_BCHW: float, B x in_channels x H x W.

        Raises:
            ValueError: the image does not have the shape that the network was built for.
        """
        check_input(image_BCHW, in_channels=self.in_channels, input_size=self.input_size)
        feature_BCHW: torch.Tensor = self.image_encoder(as_rgb(image_BCHW))
        return feature_BCHW

    def decode(self, feature_BCHW: torch.Tensor, points: Sequence[torch.Tensor]) -> torch.Tensor:
        """Compute the logits of :meth:`prompt_logits`, N x H x W, from features.

        Args:
            feature_BCHW: the result of :meth:`features`.
            points: as for :meth:`forward`.

        Raises:
            ValueError: the points have a wrong shape, number or label plane.
        """
        _check_points(points, num_images=len(feature_BCHW), num_labels=self.num_labels)
        device = feature_BCHW.device
        image_N = torch.repeat_interleave(
            torch.arange(len(points), device=device),
            torch.tensor([len(image) for image in points], device=device),
        )
        point_N2 = torch.cat([image[:, :2] for image in points]).to(device)
        return self.masks(feature_BCHW.index_select(0, image_N), point_N2)

    def masks(self, feature_NCHW: torch.Tensor, point_N2: torch.Tensor) -> torch.Tensor:
        """Compute logits N x H x W: one mask per point.

        Args:
            feature_NCHW: for each point, the features of its image.
            point_N2: points (x, y) in px of the network frame.
        """
        point_N12 = point_N2.float()[:, None]
        # Always in float32: in bfloat16, positions are wrong by several px.
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
        """Merge the masks of :meth:`prompt_logits` to B x num_labels x H x W, as :meth:`forward` does.

        Args:
            logits_NHW: one mask per point.
            points: as for :meth:`forward`.
        """
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
        """Compute logits N x h x w at four times the size of the features: the first of SAM's four masks.

        segment-anything's decoder repeats every image for every prompt and computes B x N masks. Here each
        row of the batch is a prompt with its own image, so only N masks are computed.
        """
        decoder = self.mask_decoder
        own_TC = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        token_NTC = torch.cat([own_TC.expand(sparse_NTC.shape[0], -1, -1), sparse_NTC], dim=1)
        token_NTC, feature_NTC = decoder.transformer(feature_NCHW, position_1CHW, token_NTC)
        fine_NCHW = decoder.output_upscaling(feature_NTC.transpose(1, 2).reshape(feature_NCHW.shape))
        weight_NC = decoder.output_hypernetworks_mlps[0](token_NTC[:, 1])  # token 0 is for the quality
        return torch.einsum("nc,nchw->nhw", weight_NC, fine_NCHW)


def _check_points(points: Sequence[torch.Tensor], *, num_images: int, num_labels: int) -> None:
    if len(points) != num_images:
        raise ValueError(f"there are points for {len(points)} image(s), but {num_images} image(s)")
    for image in points:
        if image.ndim != 2 or image.shape[1] != 3:
            raise ValueError(
                "points must be one N x 3 tensor (x, y, label plane) per image, "
                f"not {' x '.join(map(str, image.shape))}"
            )
        if not ((image[:, 2] >= 0) & (image[:, 2] < num_labels)).all():
            raise ValueError(f"the label plane of a point must be in 0 to {num_labels - 1}")
