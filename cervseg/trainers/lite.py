"""LiteUNet: a U-Net on EfficientNet-Lite0 (Liu 2020) that starts from the shipped model or from ImageNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from cervseg.core.types import NetworkSpec, Plan
from cervseg.networks.lite import LiteUNet
from cervseg.networks.lite_weights import load_lite_imagenet
from cervseg.networks.shipped_start import start_from_shipped
from cervseg.planning.constants import LITE_ENCODER_RATE
from cervseg.training.freezing import parameter_groups
from cervseg.training.trainer import Trainer


class LiteUNetTrainer(Trainer):
    """Trains a U-Net on EfficientNet-Lite0; the weights that it starts from are installed with cervseg.

    The encoder trains at 0.3 of the learning rate, also from random weights.
    """

    configuration: ClassVar[str] = "2d_lite"

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return LiteUNet with the plan's decoder."""
        sizes = self.configured(plan).network
        return NetworkSpec(name="lite_unet", arguments={**self.shape_arguments(plan), **sizes})

    def start(self, network: nn.Module, plan: Plan, *, pretrained: bool) -> Mapping[str, str | None]:
        """Load the shipped model, or ImageNet weights for the encoder of a network of another size.

        Args:
            network: LiteUNet.
            plan: as the trainer sees it.
            pretrained: False for random weights.

        Raises:
            CheckpointError: the package with the weights is not installed, or its file has changed.
        """
        assert isinstance(network, LiteUNet)
        if not pretrained:
            return {"encoder": None}
        shipped = start_from_shipped(network, architecture="lite_unet", labels=plan.dataset.trained)
        return {"network": shipped} if shipped else {"encoder": load_lite_imagenet(network.encoder)}

    def optimizer(self, network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
        """AdamW; the encoder has 0.3 of the learning rate.

        Args:
            network: after its parts were frozen.
            plan: as the trainer sees it.
        """
        hyper = self.configured(plan).hyperparameters
        groups = parameter_groups(network, hyper, encoder_factor=LITE_ENCODER_RATE)
        return torch.optim.AdamW(groups, lr=hyper.learning_rate)
