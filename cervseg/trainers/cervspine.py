"""CervSpineNet (Sawant et al. 2026, 2.4): SAM's image encoder, an expanding decoder, a compound loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from cervseg.core.types import NetworkSpec, Plan
from cervseg.networks.hybrid import load_tokens
from cervseg.networks.published import PublishedWeights, sam_vit_b_for
from cervseg.networks.shipped_start import start_from_shipped
from cervseg.training.trainer import Trainer


class CervSpineNetTrainer(Trainer):
    """Trains CervSpineNet at the planned size (published: ViT-B at 1024 x 1024)."""

    configuration: ClassVar[str] = "2d_vit"

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return CervSpineNet with the plan's encoder and decoder sizes."""
        sizes = self.configured(plan).network
        return NetworkSpec(name="cervspinenet", arguments={**self.shape_arguments(plan), **sizes})

    def pretrained(self, plan: Plan) -> PublishedWeights | None:
        """Return SAM's ViT-B for an encoder of its size."""
        return sam_vit_b_for(self.configured(plan).network)

    def start(self, network: nn.Module, plan: Plan, *, pretrained: bool) -> Mapping[str, str | None]:
        """Load the shipped model of its size; else, the convolutions that make its tokens.

        Args:
            network: CervSpineNet.
            plan: as the trainer sees it.
            pretrained: False for random weights.

        Raises:
            CheckpointError: the package with the weights is not installed, or its file has changed.
        """
        if not pretrained or self.pretrained(plan) is not None:
            return {}
        shipped = start_from_shipped(network, architecture="cervspinenet", labels=plan.dataset.trained)
        return {"network": shipped} if shipped else load_tokens(network)
