"""U-Net (Ronneberger et al. 2015; paper, 2.5.2): the convolutional baseline, from scratch."""

from __future__ import annotations

from typing import ClassVar

from cervseg.core.types import NetworkSpec, Plan
from cervseg.training.trainer import Trainer


class UNetTrainer(Trainer):
    """Trains a 4-level U-Net, of the planned width (published: 64 initial filters at 512 x 512)."""

    configuration: ClassVar[str] = "2d_cnn"

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return a U-Net with the plan's width and depth."""
        sizes = self.configured(plan).network
        return NetworkSpec(name="unet", arguments={**self.shape_arguments(plan), **sizes})
