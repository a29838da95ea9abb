"""What the rules know of each family of networks; every difference between families stands in this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cervseg.core.types import Decision, Fingerprint
from cervseg.planning.constants import (
    BOTTLENECK_PX,
    CNN,
    DEEPLAB,
    MULTIPLE_PX,
    NNUNET,
    SEGFORMER,
    SIZES,
    VIT,
    Size,
)

Fit = Callable[[Sequence[int], Fingerprint], Decision]

PAPER, NNUNET_ITSELF = "paper", "nnU-Net"
SAM, IMAGENET = "SAM's ViT-B weights", "ImageNet weights in its encoder"


def fit_nothing(input_size: Sequence[int], fingerprint: Fingerprint) -> Decision:
    """No argument of the network follows from the frame or the labels."""
    return Decision(value={}, reason="")


def fit_depth(input_size: Sequence[int], fingerprint: Fingerprint) -> Decision:
    """How often nnU-Net halves this frame."""
    levels = num_halvings(input_size)
    least = min(input_size) // 2**levels
    return Decision(
        value={"num_levels": levels}, reason=f"halved {levels} times, to {least} px on the shorter side"
    )


def fit_prompts(input_size: Sequence[int], fingerprint: Fingerprint) -> Decision:
    """Short prompts for the text encoder, out of the names of the labels; ";" parts them."""
    names = [label.replace("_", " ") for label in fingerprint.labels]
    prompts = [text for name in names for text in (name, f"{name} on a radiograph")]
    return Decision(
        value={"prompts": "; ".join(prompts)},
        reason="its prompts are the names of the labels, read by MiniLM in place of MedCLIP",
    )


def num_halvings(input_size: Sequence[int]) -> int:
    """nnU-Net's depth: halved until the shorter side has 4 to 7 px, as far as both sides divide."""
    levels = _depth(min(input_size))
    while any(side % 2**levels for side in input_size):
        levels -= 1
    return levels


def whole_halvings_px(short_px: int) -> int:
    """What the sides of a frame must divide by, so that nnU-Net can halve it all the way."""
    return max(MULTIPLE_PX, 1 << _depth(short_px))


def multiple_of_32(short_px: int) -> int:
    """What the sides of any frame must divide by."""
    return MULTIPLE_PX


def _depth(short_px: int) -> int:
    return max(1, short_px // BOTTLENECK_PX).bit_length() - 1


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of networks that share a configuration of the plan.

    Args:
        name: the configuration's.
        words: its network in one line; braces name arguments of the network.
        loss: what it trains with.
        paper_loss: what it trains with in the preset "paper".
        protocol: what others do, rule -> words; reasons compare with it.
        reference: whose protocol that is.
        weights: the published weights that it starts from; empty: none.
        fixed_frame: on a large GPU it gets its published frame, whatever the images' shape.
        fit: the arguments of its network that follow from the frame and the labels, with the reason.
        multiple_px: what both sides of a frame with this shorter side must divide by.
    """

    name: str
    words: str
    loss: str
    paper_loss: str
    protocol: Mapping[str, str]
    reference: str = PAPER
    weights: str = ""
    fixed_frame: bool = False
    fit: Fit = fit_nothing
    multiple_px: Callable[[int], int] = multiple_of_32

    @property
    def sizes(self) -> Mapping[str, Size]:
        """Its sizes by name: published, medium, small."""
        return SIZES[self.name]


# The paper's protocol where it is the same for all (2.4, 2.5), and for its CNNs.
COMMON = {
    "precision": "float32",
    "resize": "stretched",
    "normalization": "scaled to [0, 1]",
    "batch_size": "1",
    "learning_rate": "not given",
    "epochs": "50 epochs of 400",
    "augmentation": 'none, but for its variant "augmented"',
}
PAPER_CNN = {**COMMON, "input_size": "512 x 512 stretched", "loss": "BCE"}

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
                "input_size": "1024 x 1024 stretched",
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
        ),
        Family(
            name=SEGFORMER,
            words="text-guided SegFormer, {encoder}",
            loss="bce_dice",
            paper_loss="bce",
            protocol={
                **PAPER_CNN,
                "network": "a MiT encoder whose size is not given, guided by MedCLIP",
                "loss": "not given, so BCE as its CNNs",
            },
            weights=IMAGENET,
            fit=fit_prompts,
        ),
        Family(
            name=NNUNET,
            words="nnU-Net's U-Net, {features} filters, {num_levels} levels",
            loss="bce_dice",
            paper_loss="bce_dice",
            protocol={
                "precision": "float16 mixed with float32",
                "resize": "patches of the image as it is",
                "normalization": "the same",
                "batch_size": "what fills the card, 2 at least",
                "learning_rate": "0.01 with SGD",
                "epochs": "1000 of 250 steps",
                "augmentation": "turns to 180 degrees, and images mirrored on both axes",
                "network": "32 filters, doubled up to 512, halved while a side has 8 px",
                "input_size": "the median image, or what of it fits the card",
                "loss": "Dice and cross-entropy",
            },
            reference=NNUNET_ITSELF,
            fit=fit_depth,
            multiple_px=whole_halvings_px,
        ),
    )
}
