"""Families of networks: one table of everything in which they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cervseg.core.types import Decision, Fingerprint
from cervseg.planning.constants import (
    BOTTLENECK_PX,
    CNN,
    DEEPLAB,
    IMAGENET,
    LITE,
    LITE_ENCODER_RATE,
    MULTIPLE_PX,
    NNUNET,
    SAM,
    SEGFORMER,
    SHIPPED,
    SIZES,
    VIT,
    Size,
)

Fit = Callable[[Sequence[int], Fingerprint], Decision]

PAPER, NNUNET_ITSELF = "Paper", "nnU-Net"
USUALLY = "usually fine-tuned at 1e-4 to 3e-4"


def fit_nothing(input_size: Sequence[int], fingerprint: Fingerprint) -> Decision:
    """Return no arguments: none depends on the frame or the labels."""
    return Decision(value={}, reason="")


def fit_depth(input_size: Sequence[int], fingerprint: Fingerprint) -> Decision:
    """Return nnU-Net's number of levels for this frame."""
    levels = num_halvings(input_size)
    least = min(input_size) // 2**levels
    return Decision(
        value={"num_levels": levels}, reason=f"halved {levels} times, down to {least} px on the shorter side"
    )


def fit_prompts(input_size: Sequence[int], fingerprint: Fingerprint) -> Decision:
    """Return short prompts for the text encoder, made from the names of the labels, separated by ";"."""
    names = [label.replace("_", " ") for label in fingerprint.labels]
    prompts = [text for name in names for text in (name, f"{name} on a radiograph")]
    return Decision(
        value={"prompts": "; ".join(prompts)},
        reason="prompts are the names of the labels, encoded by MiniLM instead of MedCLIP",
    )


def num_halvings(input_size: Sequence[int]) -> int:
    """Compute nnU-Net's depth: the shorter side is halved to 4 to 7 px, if both sides are divisible.

    Args:
        input_size: (height, width) in px.
    """
    levels = _depth(min(input_size))
    while any(side % 2**levels for side in input_size):
        levels -= 1
    return levels


def whole_halvings_px(short_px: int) -> int:
    """Return the number that sides must be a multiple of, so that nnU-Net can halve them to 4 to 7 px."""
    return max(MULTIPLE_PX, 1 << _depth(short_px))


def multiple_of_32(short_px: int) -> int:
    """Return the number that sides of every frame must be a multiple of."""
    return MULTIPLE_PX


def _depth(short_px: int) -> int:
    return max(1, short_px // BOTTLENECK_PX).bit_length() - 1


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of networks that share a configuration of the plan.

    Args:
        name: name of the configuration.
        words: the network in one line; braces contain names of network arguments.
        loss: name of the loss.
        paper_loss: name of the loss in the preset "paper".
        protocol: rule -> published value in words; reasons end with it.
        reference: origin of that protocol.
        weights: published weights that it starts from; empty if there are none. A smaller size may start
            from others.
        fine_tuning: how published weights are trained, in words; empty if there are none.
        fixed_frame: on a large GPU, use the published frame for images of every shape.
        fit: network arguments that depend on the frame and the labels, with the reason.
        multiple_px: maps the shorter side of a frame to the number that both sides must be a multiple of.
        costliest: extra arguments of the most expensive network that trains with this configuration.
        costliest_words: that network in words.
    """

    name: str
    words: str
    loss: str
    paper_loss: str
    protocol: Mapping[str, str]
    reference: str = PAPER
    weights: str = ""
    fine_tuning: str = ""
    fixed_frame: bool = False
    fit: Fit = fit_nothing
    multiple_px: Callable[[int], int] = multiple_of_32
    costliest: Mapping[str, Any] = field(default_factory=dict)
    costliest_words: str = ""

    @property
    def sizes(self) -> Mapping[str, Size]:
        """Sizes by name: published, medium, small."""
        return SIZES[self.name]


# Protocol of the paper (2.4, 2.5): what all networks share, and its CNNs.
COMMON = {
    "precision": "float32",
    "resize": "stretched",
    "crop": "whole images",
    "normalization": "scaled to [0, 1]",
    "batch_size": "1",
    "learning_rate": "not given",
    "epochs": "50 epochs of 400 images",
    "augmentation": 'none, except in the variant "augmented"',
}
PAPER_CNN = {**COMMON, "input_size": "512 x 512, stretched", "loss": "BCE"}

FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            name=VIT,
            words="CervSpineNet, {embed_dim} wide, {depth} deep",
            loss="cervspinenet",
            paper_loss="cervspinenet",
            protocol={
                **COMMON,
                "network": "SAM's ViT-B encoder (768 wide, 12 deep)",
                "input_size": "1024 x 1024, stretched",
                "loss": "0.5 Dice + 0.3 focal Tversky + 0.1 Hausdorff + 0.1 SSIM",
            },
            weights=SAM,
            fixed_frame=True,
        ),
        Family(
            name=CNN,
            words="U-Net, {features} filters, {num_levels} levels",
            loss="bce_dice",
            paper_loss="bce",
            protocol={**PAPER_CNN, "network": "4 levels, 64 initial filters"},
        ),
        Family(
            name=DEEPLAB,
            words="DeepLabV3+ on {encoder}",
            loss="bce_dice",
            paper_loss="bce",
            protocol={**PAPER_CNN, "network": "DeepLabV3+ on ResNet-50"},
            weights=IMAGENET,
            fine_tuning=USUALLY,
        ),
        Family(
            name=SEGFORMER,
            words="text-guided SegFormer, {encoder}",
            loss="bce_dice",
            paper_loss="bce",
            protocol={
                **PAPER_CNN,
                "network": "MiT encoder of unknown size, guided by MedCLIP",
                "loss": "not given; BCE like its CNNs",
            },
            weights=IMAGENET,
            fine_tuning=USUALLY,
            fit=fit_prompts,
        ),
        Family(
            name=NNUNET,
            words="nnU-Net's U-Net, {features} filters, {num_levels} levels",
            loss="bce_dice",
            paper_loss="bce_dice",
            protocol={
                "precision": "mixed float16 and float32",
                "resize": "patches at the original resolution",
                "crop": "borders of value 0 are cut off",
                "normalization": "the same",
                "batch_size": "as many as fit into memory, at least 2",
                "learning_rate": "0.01 with SGD",
                "epochs": "1000 epochs of 250 steps",
                "augmentation": "rotation up to 180 degrees, flips along both axes",
                "network": "32 filters, doubled up to 512, halved while a side has at least 8 px",
                "input_size": "the median image, or as much of it as fits into memory",
                "loss": "Dice and cross-entropy",
            },
            reference=NNUNET_ITSELF,
            fit=fit_depth,
            multiple_px=whole_halvings_px,
            costliest={"residual_encoder": True},
            costliest_words="with a residual encoder",
        ),
        Family(
            name=LITE,
            words="U-Net on EfficientNet-Lite0",
            loss="bce_dice",
            paper_loss="bce",
            protocol={**PAPER_CNN, "network": "ResNet-50 with ImageNet weights"},
            reference="DeepLabV3+ in the paper",
            weights=SHIPPED,
            fine_tuning=f"the encoder is fine-tuned at {LITE_ENCODER_RATE:g} of this rate",
        ),
    )
}
