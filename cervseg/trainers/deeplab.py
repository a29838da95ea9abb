"""DeepLabV3+ (Chen et al. 2018; paper, 2.5.1): a convolutional baseline that starts from ImageNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from cervseg.core.types import NetworkSpec, Plan
from cervseg.networks.deeplab import DeepLabV3Plus
from cervseg.networks.imagenet import load_imagenet
from cervseg.training.trainer import Trainer


class DeepLabV3PlusTrainer(Trainer):
    """Trains DeepLabV3+ with the planned ResNet (published: ResNet-50 at 512 x 512)."""

    configuration: ClassVar[str] = "2d_deeplab"

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return DeepLabV3+ with the plan's encoder and width."""
        sizes = self.configured(plan).network
        return NetworkSpec(name="deeplabv3plus", arguments={**self.shape_arguments(plan), **sizes})

    def start(self, network: nn.Module, plan: Plan, *, pretrained: bool) -> Mapping[str, str | None]:
        """ImageNet weights for the encoder.

        Args:
            network: DeepLabV3+.
            plan: as the trainer sees it.
            pretrained: False for random weights.

        Raises:
            CheckpointError: the weights cannot be downloaded.
        """
        assert isinstance(network, DeepLabV3Plus)
        if not pretrained:
            return {"encoder": None}
        return {"encoder": load_imagenet(network.encoder, name=self.configured(plan).network["encoder"])}
