"""The paper's ablations (Sawant et al. 2026, 2.7): CervSpineNet with other parts, and with other losses.

All train in CervSpineNet's configuration, so that a comparison with CervSpineNetTrainer shows the effect of
the named part or loss only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from cervseg.core.types import NetworkSpec, Plan
from cervseg.networks.published import PublishedWeights
from cervseg.networks.sam import ENCODER_SIZES
from cervseg.trainers.cervspine import CervSpineNetTrainer

CNN_SIZES = ("patch_size", "out_chans", "decoder_widths")


class PureCNNBasicTrainer(CervSpineNetTrainer):
    """2.7.1 (i): a plain CNN encoder and a simple decoder, from random weights.

    It trains with the loss that the plan chose for CervSpineNet: the published loss, as in the paper, where
    CervSpineNet starts from SAM's weights. From random weights training may converge to an empty mask;
    ``--set loss=cervspinenet_bce`` avoids that (set it for CervSpineNet too, for a fair comparison).
    """

    network: ClassVar[str] = "pure_cnn_basic"

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return the network with CervSpineNet's number of halvings, channels and decoder widths."""
        sizes = self.configured(plan).network
        own = {name: sizes[name] for name in CNN_SIZES}
        return NetworkSpec(name=self.network, arguments={**self.shape_arguments(plan), **own})

    def pretrained(self, plan: Plan) -> PublishedWeights | None:
        """Return None: there are no published weights of this encoder."""
        return None

    def start(self, network: nn.Module, plan: Plan, *, pretrained: bool) -> Mapping[str, str | None]:
        """Random weights."""
        return {}


class PureCNNFullTrainer(PureCNNBasicTrainer):
    """2.7.1 (ii): the same encoder and CervSpineNet's decoder, from random weights."""

    network: ClassVar[str] = "pure_cnn_full"


class ViTBasicTrainer(CervSpineNetTrainer):
    """2.7.1 (iii): SAM's image encoder, from SAM's weights as in CervSpineNet, and the simple decoder."""

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return the network with CervSpineNet's encoder and decoder widths."""
        sizes = self.configured(plan).network
        own = {name: sizes[name] for name in (*ENCODER_SIZES, "decoder_widths") if name in sizes}
        return NetworkSpec(name="vit_basic", arguments={**self.shape_arguments(plan), **own})


class CervSpineNetDiceTrainer(CervSpineNetTrainer):
    """2.7.2: CervSpineNet trained with Dice alone.

    This and the other loss ablations train with the terms that the paper names, from any initial weights.
    Without SAM's weights training may converge to an empty mask, above all for the small networks that are
    planned for a CPU: then the score says little about the loss.
    """

    settings: ClassVar[Mapping[str, str]] = {"loss": "dice"}


class CervSpineNetDiceFTTrainer(CervSpineNetTrainer):
    """2.7.2: Dice and focal Tversky, see :class:`CervSpineNetDiceTrainer`."""

    settings: ClassVar[Mapping[str, str]] = {"loss": "dice_ft"}


class CervSpineNetDiceSSIMTrainer(CervSpineNetTrainer):
    """2.7.2: Dice and SSIM, see :class:`CervSpineNetDiceTrainer`."""

    settings: ClassVar[Mapping[str, str]] = {"loss": "dice_ssim"}


class CervSpineNetDiceFTSSIMTrainer(CervSpineNetTrainer):
    """2.7.2: Dice, focal Tversky and SSIM, see :class:`CervSpineNetDiceTrainer`."""

    settings: ClassVar[Mapping[str, str]] = {"loss": "dice_ft_ssim"}
