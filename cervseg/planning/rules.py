"""The default preset: one named rule a decision, each returning a value and one sentence of reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cervseg.core.types import Augmentation, Decision, LabelFingerprint
from cervseg.planning import constants
from cervseg.planning.context import Rule, Situation, in_words
from cervseg.planning.families import IMAGENET, SAM
from cervseg.planning.frame import input_size


def precision(s: Situation) -> Decision:
    """The number format of the forward pass."""
    kind, has_bfloat16 = s.hardware.accelerator, s.hardware.bfloat16
    where = s.hardware.accelerator_name if kind == "cuda" else "the processor"
    if kind == "mps":
        value, reason = "float32", "Apple's GPUs train in float32 here"
    elif has_bfloat16:
        value, reason = "bfloat16", f"{where} computes in bfloat16 natively, about twice as fast"
    elif kind == "cuda":
        value, reason = "float16", f"{where} has no bfloat16, so float16 with loss scaling"
    else:
        value, reason = "float32", f"{where} has no bfloat16"
    return Decision(value=value, reason=f"{reason}; {s.compared('precision')}")


def resize(s: Situation) -> Decision:
    """How an image comes into the frame."""
    return Decision(
        value="pad",
        reason=f"the aspect of every image is kept, margins are padded; {s.compared('resize')}",
    )


def network(s: Situation) -> Decision:
    """Width and depth, and what else a network needs to know."""
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
            f"about {in_words(own_s)} an image in training, where the published size would take about "
            f"{in_words(published_s)} at {side} x {side}"
        )
    elif s.size_name != "published":
        reasons.append("the published one needs a CUDA card with 8 GiB")
    reason = "; ".join(filter(None, reasons))
    return Decision(value=fitted.value, reason=f"{reason}; {s.compared('network')}")


def _start(s: Situation) -> str:
    """What the network starts from."""
    if s.weights or not s.family.weights:
        return f"started from {s.weights}" if s.weights else "from scratch"
    if s.sam_checkpoint:
        return "from scratch, as the SAM checkpoint does not fit this size"
    if s.size_name != "published":
        return "from scratch"
    return (
        f"but FROM SCRATCH: no SAM checkpoint is at hand (cervseg_download_weights fetches it); the paper "
        f"starts from {s.family.weights}"
    )


def normalization(s: Situation) -> Decision:
    """How intensities are scaled."""
    if s.weights == SAM:
        return Decision(
            value="sam",
            reason=f"SAM's weights expect SAM's pixel mean and deviation; {s.compared('normalization')}",
        )
    low, high = s.fingerprint.intensity_percentile_0_5, s.fingerprint.intensity_percentile_99_5
    reason = (
        f"each image by its own mean and deviation: exposures differ ({low:.0f} to {high:.0f} over all "
        "images)"
    )
    if s.weights == IMAGENET:
        reason += ", and ImageNet's weights expect images of mean 0 and deviation 1"
    return Decision(value="zscore", reason=f"{reason}; {s.compared('normalization')}")


def batch_size(s: Situation) -> Decision:
    """Images a step."""
    wanted, reason = s.size.batch_size, f"{s.machine}: {s.size.batch_size} images a step"
    if s.has_large_gpu:
        height, width = s.chosen["input_size"]
        one = s.size.memory_gib * height * width / s.published.frame_px**2
        one *= 2 if s.chosen["precision"] == "float32" else 1
        usable = s.hardware.accelerator_memory_gib * constants.GPU_USABLE - constants.GPU_FIXED_GIB
        wanted = max(1, min(s.size.batch_size, int(usable / one)))
        reason = (
            f"{s.machine}: {s.size.batch_size} images at most, and one takes about {one:.1f} GiB of the "
            f"{usable:.1f} that are free"
        )
    # At least eight steps an epoch, or small datasets would hardly be stepped through.
    value = max(1, min(wanted, s.num_training // 8))
    if value < wanted:
        reason += f", but a fold trains on {s.num_training} images only"
    return Decision(value=value, reason=f"{reason}; {s.compared('batch_size')}")


def learning_rate(s: Situation) -> Decision:
    """The highest learning rate of the schedule."""
    start = s.weights or "random weights"
    if s.weights == IMAGENET:
        start += ", usually fine-tuned at 1e-4 to 3e-4"
    return Decision(
        value=s.size.learning_rate,
        reason=f'{start}, size "{s.size_name}", AdamW; after a warm-up, then a cosine to '
        f"zero; {s.compared('learning_rate')}",
    )


def epochs(s: Situation) -> Decision:
    """Passes over the training cases: about as many image passes as the paper's, if time allows."""
    cases, (fewest, most) = s.fingerprint.num_cases, constants.EPOCHS_BOUNDS
    value = max(fewest, min(most, round(constants.IMAGE_PASSES / cases)))
    reason = f"{cases} cases: {value} epochs are {value * cases:,} image passes"
    if s.hardware.accelerator == "cpu":
        epoch_s = s.num_training * s.seconds_per_image(s.chosen["input_size"], s.chosen["network"])
        affordable = max(constants.FEWEST_EPOCHS, int(constants.FOLD_TIME_S / epoch_s))
        if affordable < value:
            reason = (
                f"{cases} cases: {value} epochs would take about {in_words(value * epoch_s)} a fold on "
                f"{s.cores_in_words}, {affordable} take about {in_words(affordable * epoch_s)}"
            )
            value = affordable
        else:
            reason += f", about {in_words(value * epoch_s)} a fold on {s.cores_in_words}"
    return Decision(value=value, reason=f"{reason}; {s.compared('epochs')}")


def num_workers(s: Situation) -> Decision:
    """Threads that load and augment images."""
    cores = s.hardware.num_cores
    if s.hardware.accelerator == "cpu":
        return Decision(
            value=max(1, min(4, cores // 8)),
            reason=f"{s.cores_in_words}, which the network needs for itself.",
        )
    return Decision(
        value=max(1, min(8, cores - 1)), reason=f"{s.cores_in_words}, free beside the accelerator."
    )


def augmentation(s: Situation) -> Decision:
    """Ranges of random changes to training images."""
    value, reason = Augmentation(), ""
    if s.size.light_augmentation:
        value = constants.LIGHT_AUGMENTATION
        reason = "a small transformer from random weights learns slowly, so images are changed lightly: "
    reason += f"turns to {value.rotation_deg:.0f} degrees"
    labels = [label for label in s.fingerprint.labels.values() if label.num_cases]
    if labels and all(_is_mirrored(label) for label in labels):
        value = replace(value, flip_horizontal=0.5)
        least = min(label.mirror_overlap for label in labels)
        reason += (
            f", and flipped left to right, as labels lie on both sides alike ({100 * least:.0f} % overlap)"
        )
    else:
        reason += ", no flips, as images have a front or a left and a right"
    return Decision(value=value, reason=f"{reason}; {s.compared('augmentation')}")


def _is_mirrored(label: LabelFingerprint) -> bool:
    """Is a mirrored image an image that might have been?"""
    return label.num_cases >= constants.MIRROR_CASES and label.mirror_overlap >= constants.MIRROR_OVERLAP


def loss(s: Situation) -> Decision:
    """What training minimizes."""
    if s.family.loss == "cervspinenet" and s.weights:
        value, reason = "cervspinenet", "the published loss, as training starts from SAM's weights"
    elif s.family.loss == "cervspinenet":
        value = "cervspinenet_bce"
        reason = (
            "the published loss and BCE beside it: from random weights the published one alone may settle on "
            "an empty mask"
        )
    else:
        shares = [label.area_fraction.median for label in s.fingerprint.labels.values() if label.num_cases]
        share = f"{100 * min(shares):.1f} % of an image" if shares else "little of an image"
        value, reason = s.family.loss, f"Dice beside BCE, as the smallest label covers {share}"
    return Decision(value=value, reason=f"{reason}; {s.compared('loss')}")


# In the order in which they are asked: a rule sees what those before it chose. The frame comes before the
# network, for nnU-Net's depth follows from it.
DEFAULT_RULES: Mapping[str, Rule] = {
    "precision": precision,
    "resize": resize,
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
