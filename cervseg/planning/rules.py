"""The preset "default": one rule per decision; each returns a value and its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cervseg.core.types import Augmentation, Decision, LabelFingerprint
from cervseg.planning import constants
from cervseg.planning.constants import IMAGENET, SAM, SHIPPED, SHIPPED_TOKENS
from cervseg.planning.context import Rule, Situation, in_words
from cervseg.planning.frame import crop, input_size


def precision(s: Situation) -> Decision:
    """Decide the number format of the forward pass."""
    kind, has_bfloat16 = s.hardware.accelerator, s.hardware.bfloat16
    device = s.hardware.accelerator_name if kind == "cuda" else "the CPU"
    if kind == "mps":
        value, reason = "float32", "Apple's GPUs train in float32"
    elif has_bfloat16:
        value, reason = "bfloat16", f"{device} supports bfloat16, which is about twice as fast"
    elif kind == "cuda":
        value, reason = "float16", f"{device} does not support bfloat16; float16 with loss scaling"
    else:
        value, reason = "float32", f"{device} does not support bfloat16"
    return Decision(value=value, reason=s.explain("precision", reason))


def resize(s: Situation) -> Decision:
    """Decide how an image is fitted into the network frame."""
    return Decision(
        value="pad", reason=s.explain("resize", "the aspect ratio is kept, and margins are padded")
    )


def network(s: Situation) -> Decision:
    """Decide the size arguments of the network."""
    frame, side = s.chosen["input_size"], s.published.frame_px
    fitted = s.fitted(s.size, frame)
    reasons = [f'{s.machine}: size "{s.size_name}", {_start(s)}', fitted.reason]
    if s.hardware.accelerator == "cpu":
        published = s.fitted(s.published, (side, side)).value
        own_s, published_s = (
            s.seconds_per_image(frame, fitted.value),
            s.seconds_per_image((side, side), published),
        )
        reasons.append(
            f"about {in_words(own_s)} per image in training; the published size would take about "
            f"{in_words(published_s)} at {side} x {side}"
        )
    elif s.size_name != "published":
        reasons.append("the published size needs a CUDA GPU with 8 GB")
    return Decision(value=fitted.value, reason=s.explain("network", "; ".join(filter(None, reasons))))


def _start(s: Situation) -> str:
    """Name the initial weights."""
    if s.weights or not s.family.weights:
        return f"initialized with {s.weights}" if s.weights else "trained from scratch"
    return (
        "trained FROM SCRATCH, because the SAM checkpoint is missing (run cervseg_download_weights); the "
        f"paper starts from {s.family.weights}"
    )


def normalization(s: Situation) -> Decision:
    """Decide how intensities are scaled."""
    if s.weights == SAM:
        reason = "SAM's weights expect SAM's pixel mean and standard deviation"
        return Decision(value="sam", reason=s.explain("normalization", reason))
    low, high = s.fingerprint.intensity_percentile_0_5, s.fingerprint.intensity_percentile_99_5
    reason = (
        "mean 0 and standard deviation 1 per image, because exposures differ (intensities from "
        f"{low:.0f} to {high:.0f} over all images)"
    )
    if s.weights in (IMAGENET, SHIPPED, SHIPPED_TOKENS):
        reason += f"; {s.weights} expect this scale"
    return Decision(value="zscore", reason=s.explain("normalization", reason))


def batch_size(s: Situation) -> Decision:
    """Decide the number of images per batch."""
    wanted, reason = s.size.batch_size, f"{s.machine}: {s.size.batch_size} images per batch"
    if s.has_large_gpu:
        height, width = s.chosen["input_size"]
        one = s.size.memory_gib * height * width / s.published.frame_px**2
        one *= 2 if s.chosen["precision"] == "float32" else 1
        usable = s.hardware.accelerator_memory_gib * constants.GPU_USABLE - constants.GPU_FIXED_GIB
        wanted = max(1, min(s.size.batch_size, int(usable / one)))
        reason = (
            f"{s.machine}: at most {s.size.batch_size} images, each with about {one:.1f} GiB of "
            f"{usable:.1f} GiB free memory"
        )
    # At least eight steps per epoch, also with small datasets.
    value = max(1, min(wanted, s.num_training // 8))
    if value < wanted:
        reason += f"; only {s.num_training} training images per fold"
    return Decision(value=value, reason=s.explain("batch_size", reason))


def learning_rate(s: Situation) -> Decision:
    """Decide the peak learning rate of the schedule."""
    start = s.weights or "training from scratch"
    if s.weights and s.family.fine_tuning:
        start += f", {s.family.fine_tuning}"
    reason = f'{start}; size "{s.size_name}"; AdamW with warm-up and a cosine schedule to zero'
    return Decision(value=s.size.learning_rate, reason=s.explain("learning_rate", reason))


def epochs(s: Situation) -> Decision:
    """Decide the number of epochs: about as many image passes as in the paper, if time allows."""
    cases, (fewest, most) = s.fingerprint.num_cases, constants.EPOCHS_BOUNDS
    value = max(fewest, min(most, round(constants.IMAGE_PASSES / cases)))
    reason = f"{cases} cases: {value} epochs are {value * cases:,} image passes"
    if s.hardware.accelerator == "cpu":
        epoch_s = s.num_training * s.seconds_per_image(s.chosen["input_size"], s.chosen["network"])
        affordable = max(constants.FEWEST_EPOCHS, int(constants.FOLD_TIME_S / epoch_s))
        if affordable < value:
            reason = (
                f"{cases} cases: {value} epochs would take about {in_words(value * epoch_s)} per fold on "
                f"{s.cores_in_words}, {affordable} epochs take about {in_words(affordable * epoch_s)}"
            )
            value = affordable
        else:
            reason += f", about {in_words(value * epoch_s)} per fold on {s.cores_in_words}"
        if s.family.costliest:
            costly = {**s.chosen["network"], **s.family.costliest}
            factor = s.seconds_per_image(s.chosen["input_size"], costly) * s.num_training / epoch_s
            reason += f" ({factor:.1f} times as long {s.family.costliest_words})"
    return Decision(value=value, reason=s.explain("epochs", reason))


def num_workers(s: Situation) -> Decision:
    """Decide the number of threads that load and augment images."""
    cores = s.hardware.num_cores
    if s.hardware.accelerator == "cpu":
        return Decision(
            value=max(1, min(4, cores // 8)),
            reason=f"The network needs the CPU ({s.cores_in_words}).",
        )
    return Decision(
        value=max(1, min(8, cores - 1)), reason=f"The CPU ({s.cores_in_words}) is free while the GPU trains."
    )


def augmentation(s: Situation) -> Decision:
    """Decide the ranges of random augmentation.

    Auxiliary labels count for the flips: a network cannot learn a label on one side from flipped images.
    """
    value, reason = Augmentation(), ""
    if s.num_training < constants.FEW_CASES:
        value = constants.WIDE_AUGMENTATION
        reason = f'level "wide", because {s.num_training} training images per fold are few; '
    reason += f"rotation up to {value.rotation_deg:.0f} degrees"
    labels = [label for label in s.fingerprint.labels.values() if label.num_cases]
    if labels and all(_is_mirrored(label) for label in labels):
        value = replace(value, flip_horizontal=0.5)
        least = min(label.mirror_overlap for label in labels)
        reason += f"; horizontal flips, because labels are symmetric ({100 * least:.0f} % overlap)"
    else:
        reason += "; no flips, because left and right differ"
    return Decision(value=value, reason=s.explain("augmentation", reason))


def _is_mirrored(label: LabelFingerprint) -> bool:
    """Tell whether a mirrored image is a plausible image."""
    return label.num_cases >= constants.MIRROR_CASES and label.mirror_overlap >= constants.MIRROR_OVERLAP


def loss(s: Situation) -> Decision:
    """Decide the loss function."""
    if s.family.loss == "cervspinenet" and s.weights == SAM:
        value, reason = "cervspinenet", "the published loss, because training starts from SAM's weights"
    elif s.family.loss == "cervspinenet":
        value = "cervspinenet_bce"
        reason = (
            "the published loss plus BCE; without SAM's weights, the published loss alone may converge to an "
            "empty mask"
        )
    else:
        shares = [label.area_fraction.median for label in s.fingerprint.shown]
        share = f"only {100 * min(shares):.1f} % of an image" if shares else "little of an image"
        value, reason = s.family.loss, f"Dice plus BCE, because the smallest label covers {share}"
    return Decision(value=value, reason=s.explain("loss", reason))


# In this order: a rule sees the values of the rules before it. The frame comes before the network, because
# nnU-Net's depth depends on it.
DEFAULT_RULES: Mapping[str, Rule] = {
    "precision": precision,
    "resize": resize,
    "crop": crop,
    "input_size": input_size,
    "network": network,
    "normalization": normalization,
    "batch_size": batch_size,
    "learning_rate": learning_rate,
    "epochs": epochs,
    "num_workers": num_workers,
    "augmentation": augmentation,
    "loss": loss,
}
