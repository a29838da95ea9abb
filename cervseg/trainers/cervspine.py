"""CervSpineNet (Sawant et al. 2026, 2.4): SAM's image encoder, an expanding decoder, a compound loss."""

from __future__ import annotations

from typing import ClassVar

from cervseg.core.types import NetworkSpec, Plan
from cervseg.networks.published import PublishedWeights, sam_vit_b_for
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
