"""SAM, fine-tuned as a whole (paper, 2.5.3): one mask per point, one point per process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from torch import nn

from cervseg.core.types import NetworkSpec, Plan
from cervseg.networks.hybrid import load_tokens
from cervseg.networks.promptable import NO_PROMPT, PromptableSAM
from cervseg.networks.published import PublishedWeights, sam_vit_b_for
from cervseg.networks.sam import ENCODER_SIZES
from cervseg.networks.shipped_start import start_from_shipped
from cervseg.preprocessing.centroids import find_components
from cervseg.training.data import Batch
from cervseg.training.trainer import StepResult, Trainer


class SAMTrainer(Trainer):
    """Trains image encoder, prompt encoder and mask decoder with BCE + Dice, as published.

    Prompts are ORACLE prompts, in training and for the selection of the best epoch: one positive point at the
    centroid of each connected component of the reference. Such scores show how well SAM outlines a marked
    structure, not how well it finds it; do not compare them with networks that see only the image.
    """

    configuration: ClassVar[str] = "2d_vit"
    settings: ClassVar[Mapping[str, str]] = {"loss": "bce_dice"}

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return SAM with the plan's encoder; its decoder has the published depth and the encoder's width."""
        sizes = self.configured(plan).network
        encoder = {name: sizes[name] for name in ENCODER_SIZES if name in sizes}
        return NetworkSpec(name="promptable_sam", arguments={**self.shape_arguments(plan), **encoder})

    def pretrained(self, plan: Plan) -> PublishedWeights | None:
        """Return SAM's ViT-B, prompt encoder and mask decoder included, for an encoder of its size."""
        return sam_vit_b_for(self.configured(plan).network)

    def start(self, network: nn.Module, plan: Plan, *, pretrained: bool) -> Mapping[str, str | None]:
        """Load the encoder of the shipped CervSpineNet; else, the convolutions that make its tokens.

        Args:
            network: PromptableSAM.
            plan: as the trainer sees it.
            pretrained: False for random weights.

        Raises:
            CheckpointError: the package with the weights is not installed, or its file has changed.
        """
        if not pretrained or self.pretrained(plan) is not None:
            return {}
        encoder = cast(PromptableSAM, network).encoder
        shipped = start_from_shipped(encoder, architecture="cervspinenet", labels={}, part="encoder")
        return {"image_encoder": shipped} if shipped else load_tokens(network)

    def step(self, network: nn.Module, loss: nn.Module, batch: Batch) -> StepResult:
        """Compare each point's mask with its own component: mean over an image's points, then over images.

        Compared with the whole mask of the image, a mask that extends into the next process would count as
        right there. Every image has the same weight, as in the published batches of one. An image without any
        process has a constant loss and zero gradients.

        Args:
            network: PromptableSAM in training mode.
            loss: of this trainer.
            batch: on the network's device.
        """
        sam, prompts = cast(PromptableSAM, network), oracle_prompts(batch.target_BLHW)
        logits_NHW = sam.prompt_logits(batch.image_BCHW, prompts.points)
        images = []
        sizes = [len(points) for points in prompts.points]
        for own_NHW, mask_NHW in zip(*(torch.split(x, sizes) for x in (logits_NHW, prompts.mask_NHW))):
            if not len(own_NHW):  # the sum is zero and keeps the graph connected
                own_NHW = own_NHW.sum() + own_NHW.new_full((1, *own_NHW.shape[1:]), NO_PROMPT)
                mask_NHW = torch.zeros_like(own_NHW)
            images.append(loss(own_NHW[:, None], mask_NHW[:, None]))
        with torch.no_grad():
            logits_BLHW = sam.merge(logits_NHW, prompts.points)
        terms = {name: torch.stack([image[name] for image in images]).mean() for name in images[0]}
        return StepResult(terms=terms, logits_BLHW=logits_BLHW)

    def logits(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the logits B x L x H x W for oracle prompts, see the class."""
        logits_BLHW: torch.Tensor = network(batch.image_BCHW, oracle_prompts(batch.target_BLHW).points)
        return logits_BLHW


@dataclass(frozen=True, kw_only=True)
class OraclePrompts:
    """Points derived from a reference.

    ``points`` is one N_i x 3 float32 tensor per image, rows (x, y, label plane) in px of the network frame;
    ``mask_NHW`` float32 {0, 1} is the component of each point, in the order of the images.
    """

    points: list[torch.Tensor]
    mask_NHW: torch.Tensor


def oracle_prompts(target_BLHW: torch.Tensor) -> OraclePrompts:
    """Return the centroids of a target's components.

    See :func:`cervseg.preprocessing.centroids.find_components`.

    Args:
        target_BLHW: float {0, 1}, on any device; the result is there too.
    """
    device = target_BLHW.device
    points, masks = [], [target_BLHW.new_zeros(0, *target_BLHW.shape[2:])]
    for target_LHW in target_BLHW.cpu().numpy():
        rows = [np.zeros((0, 3))]
        for plane, target_HW in enumerate(target_LHW):
            numbers, centroids = find_components(target_HW)
            rows.append(np.insert(centroids, 2, plane, axis=1))
            for_component = torch.arange(1, len(centroids) + 1, device=device)[:, None, None]
            masks.append((torch.from_numpy(numbers).to(device) == for_component).to(target_BLHW.dtype))
        points.append(torch.from_numpy(np.concatenate(rows)).to(device, torch.float32))
    return OraclePrompts(points=points, mask_NHW=torch.cat(masks))
