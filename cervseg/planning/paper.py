"""The preset "paper": the published protocol (Sawant et al. 2026, 2.4-2.5)."""

from __future__ import annotations

from collections.abc import Mapping

from cervseg.core.geometry import WHOLE
from cervseg.core.types import Decision
from cervseg.planning import rules
from cervseg.planning.constants import NO_AUGMENTATION, PAPER_LEARNING_RATES, SAM
from cervseg.planning.context import Rule, Situation, in_words
from cervseg.planning.families import PAPER, PAPER_CNN


def precision(s: Situation) -> Decision:
    """Decide the number format of the forward pass."""
    return Decision(value="float32", reason=f"{_published(s, 'precision')}.")


def resize(s: Situation) -> Decision:
    """Decide how an image is fitted into the network frame."""
    return Decision(value="stretch", reason=f"{_published(s, 'resize')}.")


def crop(s: Situation) -> Decision:
    """Decide which part of each image the network sees."""
    return Decision(value=list(WHOLE), reason=f"{_published(s, 'crop')}.")


def input_size(s: Situation) -> Decision:
    """Decide the (height, width) of the network frame."""
    side = s.published.frame_px
    return Decision(value=[side, side], reason=f"{_published(s, 'input_size')}.")


def network(s: Situation) -> Decision:
    """Decide the size arguments of the network."""
    frame = s.chosen["input_size"]
    fitted = s.fitted(s.published, frame)
    reasons = [_published(s, "network"), _start(s), fitted.reason]
    if s.hardware.accelerator == "cpu":
        seconds = s.seconds_per_image(frame, fitted.value)
        reasons.append(f"{s.machine}: about {in_words(seconds)} per image in training")
    return Decision(value=fitted.value, reason="; ".join(filter(None, reasons)) + ".")


def _start(s: Situation) -> str:
    """Name the initial weights."""
    if not s.family.weights:
        return "trained from scratch"
    if s.family.weights == SAM and not s.sam_checkpoint:
        return "trained FROM SCRATCH, because the SAM checkpoint is missing (run cervseg_download_weights)"
    return f"initialized with {s.family.weights}"


def normalization(s: Situation) -> Decision:
    """Decide how intensities are scaled."""
    return Decision(value="unit", reason=f"{_published(s, 'normalization')}.")


def batch_size(s: Situation) -> Decision:
    """Decide the number of images per batch."""
    return Decision(value=1, reason=f"{_published(s, 'batch_size')}.")


def learning_rate(s: Situation) -> Decision:
    """Decide the peak learning rate of the schedule."""
    return Decision(
        value=PAPER_LEARNING_RATES[s.family.name],
        reason="Not published; chosen by this project. AdamW with warm-up and a cosine schedule to zero.",
    )


def epochs(s: Situation) -> Decision:
    """Decide the number of epochs."""
    reason = _published(s, "epochs")
    if s.hardware.accelerator == "cpu":
        fold_s = 50 * s.num_training * s.seconds_per_image(s.chosen["input_size"], s.chosen["network"])
        reason += f"; about {in_words(fold_s)} per fold on {s.cores_in_words}"
    return Decision(value=50, reason=f"{reason}.")


def augmentation(s: Situation) -> Decision:
    """Decide the ranges of random augmentation."""
    return Decision(value=NO_AUGMENTATION, reason=f"{_published(s, 'augmentation')}.")


def loss(s: Situation) -> Decision:
    """Decide the loss function."""
    return Decision(value=s.family.paper_loss, reason=f"{_published(s, 'loss')}.")


def _published(s: Situation, rule: str) -> str:
    """Format the published value of a rule; networks that the paper lacks follow its CNNs."""
    if s.family.reference == PAPER:
        return f"As published: {s.family.protocol[rule]}"
    if rule in ("network", "loss"):
        return f"Not in the paper; like {s.family.reference}: {s.family.protocol[rule]}"
    return f"Not in the paper; like its CNNs: {PAPER_CNN[rule]}"


PAPER_RULES: Mapping[str, Rule] = {
    "precision": precision,
    "resize": resize,
    "crop": crop,
    "input_size": input_size,
    "network": network,
    "normalization": normalization,
    "batch_size": batch_size,
    "learning_rate": learning_rate,
    "epochs": epochs,
    "num_workers": rules.num_workers,
    "augmentation": augmentation,
    "loss": loss,
}
