"""Trainers that start from other weights than the shipped ones: to make shipped models, and to compare."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from cervseg.core.types import Plan
from cervseg.networks.hybrid import load_tokens
from cervseg.networks.lite import LiteUNet
from cervseg.networks.lite_weights import load_lite_imagenet
from cervseg.trainers.cervspine import CervSpineNetTrainer
from cervseg.trainers.lite import LiteUNetTrainer


class ImageNetLiteTrainer(LiteUNetTrainer):
    """LiteUNet whose encoder starts from ImageNet, and the decoder from random weights."""

    def start(self, network: nn.Module, plan: Plan, *, pretrained: bool) -> Mapping[str, str | None]:
        """Load ImageNet weights into the encoder, unless random weights are asked for."""
        assert isinstance(network, LiteUNet)
        return {"encoder": load_lite_imagenet(network.encoder) if pretrained else None}


class TokensCervSpineNetTrainer(CervSpineNetTrainer):
    """CervSpineNet whose tokens start from the shipped LiteUNet, and everything else from random weights."""

    def start(self, network: nn.Module, plan: Plan, *, pretrained: bool) -> Mapping[str, str | None]:
        """Load the convolutions that make the tokens, unless random weights are asked for."""
        return load_tokens(network) if pretrained else {}
