"""The preset "paper": the published protocol as it stands (Sawant et al. 2026, 2.4-2.5)."""

from __future__ import annotations

from collections.abc import Mapping

from cervseg.core.types import Augmentation, Decision
from cervseg.planning import rules
from cervseg.planning.situation import Rule, Situation, in_words
from cervseg.planning.sizes import VIT

NO_AUGMENTATION = Augmentation(
    rotation_deg=0.0,
    scale=(1.0, 1.0),
    translation=0.0,
    gamma=(1.0, 1.0),
    contrast=(1.0, 1.0),
    brightness=0.0,
    noise=0.0,
    blur_px=0.0,
    probability=0.0,
)


def precision(s: Situation) -> Decision:
    """The number format of the forward pass."""
    return Decision(value="float32", reason="As published: no mixed precision.")


def network(s: Situation) -> Decision:
    """Width and depth."""
    reason = "As published: 4 levels, 64 initial filters."
    if s.family == VIT:
        reason = "As published: SAM's ViT-B encoder, "
        reason += (
            "started from SAM's weights."
            if s.sam_checkpoint
            else "but FROM SCRATCH: no SAM checkpoint is at hand (cervseg_download_weights fetches it)."
        )
    return Decision(value=dict(s.published.network), reason=reason)


def resize(s: Situation) -> Decision:
    """How a film comes into the frame."""
    return Decision(value="stretch", reason="As published: stretched to a square.")


def input_size(s: Situation) -> Decision:
    """(height, width) of the network frame."""
    side = s.published.frame_px
    reason = f"As published: {side} x {side}"
    if s.hardware.accelerator == "cpu":
        reason += f"; {s.machine}: about {in_words(s.seconds_a_film((side, side)))} a film in training"
    return Decision(value=[side, side], reason=f"{reason}.")


def normalization(s: Situation) -> Decision:
    """How intensities are scaled."""
    return Decision(value="unit", reason="As published: scaled to [0, 1].")


def batch_size(s: Situation) -> Decision:
    """Films a step."""
    return Decision(value=1, reason="As published: 1.")


def learning_rate(s: Situation) -> Decision:
    """The highest learning rate of the schedule."""
    return Decision(
        value=s.published.learning_rate,
        reason="Not published; this project's reading, with AdamW, a warm-up and a cosine to zero.",
    )


def epochs(s: Situation) -> Decision:
    """Passes over the training cases."""
    reason = "As published: 50"
    if s.hardware.accelerator == "cpu":
        fold_s = 50 * s.num_training * s.seconds_a_film(s.chosen["input_size"])
        reason += f"; about {in_words(fold_s)} a fold on {s.cores_in_words}"
    return Decision(value=50, reason=f"{reason}.")


def augmentation(s: Situation) -> Decision:
    """Ranges of random changes to training films."""
    return Decision(value=NO_AUGMENTATION, reason="As published: none during training.")


def loss(s: Situation) -> Decision:
    """What training minimizes."""
    if s.family == VIT:
        return Decision(
            value="cervspinenet",
            reason="As published: 0.5 Dice + 0.3 focal Tversky + 0.1 Hausdorff + 0.1 SSIM.",
        )
    return Decision(value="bce", reason="As published: BCE.")


PAPER_RULES: Mapping[str, Rule] = {
    "precision": precision,
    "network": network,
    "resize": resize,
    "input_size": input_size,
    "normalization": normalization,
    "batch_size": batch_size,
    "learning_rate": learning_rate,
    "epochs": epochs,
    "num_workers": rules.num_workers,
    "augmentation": augmentation,
    "loss": loss,
}
