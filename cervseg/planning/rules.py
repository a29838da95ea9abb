"""The default preset: one named rule a decision, each returning a value and one sentence of reason."""

from __future__ import annotations

from collections.abc import Mapping

from cervseg.core.types import Augmentation, Decision
from cervseg.planning import sizes
from cervseg.planning.frame import input_size
from cervseg.planning.situation import Rule, Situation, in_words
from cervseg.planning.sizes import VIT


def precision(s: Situation) -> Decision:
    """The number format of the forward pass."""
    kind, has_bfloat16 = s.hardware.accelerator, s.hardware.bfloat16
    if kind == "mps":
        return Decision(value="float32", reason="Apple's GPUs train in float32 here; paper: float32.")
    where = s.hardware.accelerator_name if kind == "cuda" else "the processor"
    if has_bfloat16:
        return Decision(
            value="bfloat16",
            reason=f"{where} computes in bfloat16 natively, about twice as fast; paper: float32.",
        )
    if kind == "cuda":
        return Decision(
            value="float16", reason=f"{where} has no bfloat16, so float16 with loss scaling; paper: float32."
        )
    return Decision(value="float32", reason=f"{where} has no bfloat16; paper: float32.")


def network(s: Situation) -> Decision:
    """Width and depth."""
    side = s.published.frame_px
    if s.size_name == "published":
        reason = f"{s.machine}: the published size"
        if s.family == VIT:
            reason += (
                ", started from SAM's ViT-B weights."
                if s.sam_checkpoint
                else ", but FROM SCRATCH: no SAM checkpoint is at hand; the paper starts from SAM's ViT-B"
                " (cervseg_download_weights fetches it)."
            )
        else:
            reason += "."
        return Decision(value=dict(s.size.network), reason=reason)
    seconds = s.seconds_a_film((side, side), s.published.network)
    reason = f'{s.machine}: size "{s.size_name}", from scratch; '
    if s.hardware.accelerator == "cpu":
        reason += f"the published one would take about {in_words(seconds)} a film at {side} x {side}."
    else:
        reason += "the published one needs a CUDA card with 8 GiB."
    if s.family == VIT and s.sam_checkpoint:
        reason += " The SAM checkpoint does not fit this size and is not used."
    return Decision(value=dict(s.size.network), reason=f"{reason} Paper: {_published_name(s)}.")


def resize(s: Situation) -> Decision:
    """How a film comes into the frame."""
    return Decision(
        value="pad", reason="the aspect of every film is kept, margins are padded; paper: stretched."
    )


def normalization(s: Situation) -> Decision:
    """How intensities are scaled."""
    if s.uses_sam_weights:
        return Decision(
            value="sam",
            reason="SAM's weights expect SAM's pixel mean and deviation; paper: scaled to [0, 1].",
        )
    low, high = s.fingerprint.intensity_percentile_0_5, s.fingerprint.intensity_percentile_99_5
    return Decision(
        value="zscore",
        reason=f"each film by its own mean and deviation: exposures differ ({low:.0f} to {high:.0f} over all "
        f"films); paper: scaled to [0, 1].",
    )


def batch_size(s: Situation) -> Decision:
    """Films a step."""
    wanted, reason = s.size.batch_size, f"{s.machine}: {s.size.batch_size} films a step"
    if s.has_large_gpu:
        height, width = s.chosen["input_size"]
        one = s.size.memory_gib * height * width / s.published.frame_px**2
        one *= 2 if s.chosen["precision"] == "float32" else 1
        usable = s.hardware.accelerator_memory_gib * sizes.GPU_USABLE - sizes.GPU_FIXED_GIB
        wanted = max(1, min(s.size.batch_size, int(usable / one)))
        reason = f"{s.machine}: a film takes about {one:.1f} GiB of the {usable:.1f} that are free"
    # At least eight steps an epoch, or small datasets would hardly be stepped through.
    value = max(1, min(wanted, s.num_training // 8))
    if value < wanted:
        reason += f", but a fold trains on {s.num_training} films only"
    return Decision(value=value, reason=f"{reason}; paper: 1.")


def learning_rate(s: Situation) -> Decision:
    """The highest learning rate of the schedule."""
    start = "SAM's weights" if s.uses_sam_weights else "random weights"
    return Decision(
        value=s.size.learning_rate,
        reason=f'{start}, size "{s.size_name}"; after a warm-up, then a cosine to zero; paper: not given.',
    )


def epochs(s: Situation) -> Decision:
    """Passes over the training cases: about as many film passes as the paper's, if time allows."""
    cases, (fewest, most) = s.fingerprint.num_cases, sizes.EPOCHS_BOUNDS
    value = max(fewest, min(most, round(sizes.IMAGE_PASSES / cases)))
    reason = f"{cases} cases: {value} epochs are {value * cases:,} film passes"
    if s.hardware.accelerator == "cpu":
        epoch_s = s.num_training * s.seconds_a_film(s.chosen["input_size"])
        affordable = max(sizes.FEWEST_EPOCHS, int(sizes.FOLD_TIME_S / epoch_s))
        if affordable < value:
            reason = (
                f"{cases} cases: {value} epochs would take about {in_words(value * epoch_s)} a fold on "
                f"{s.cores_in_words}, {affordable} take about {in_words(affordable * epoch_s)}"
            )
            value = affordable
        else:
            reason += f", about {in_words(value * epoch_s)} a fold on {s.cores_in_words}"
    return Decision(value=value, reason=f"{reason}; paper: 50 epochs of 400.")


def num_workers(s: Situation) -> Decision:
    """Threads that load and augment films."""
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
    """Ranges of random changes to training films."""
    value = Augmentation()
    reason = f"a spine has an up and a front: turns to {value.rotation_deg:.0f} degrees, no flips"
    if s.family == VIT and s.size_name != "published":
        value = sizes.LIGHT_AUGMENTATION
        reason = (
            f"a small transformer from random weights learns slowly, so films are changed lightly: turns to "
            f"{value.rotation_deg:.0f} degrees; no flips, for a spine has an up and a front"
        )
    return Decision(value=value, reason=f'{reason}; paper: none, but for its variant "augmented".')


def loss(s: Situation) -> Decision:
    """What training minimizes."""
    if s.family == VIT and not s.uses_sam_weights:
        return Decision(
            value="cervspinenet_bce",
            reason="the published loss and BCE beside it: from random weights the published one alone may "
            "settle on an empty mask; paper: without BCE, from SAM's weights.",
        )
    if s.family == VIT:
        return Decision(
            value="cervspinenet",
            reason="0.5 Dice + 0.3 focal Tversky + 0.1 Hausdorff + 0.1 SSIM, as published.",
        )
    shares = [label.area_fraction.median for label in s.fingerprint.labels.values() if label.num_cases]
    share = f"{100 * min(shares):.1f} % of a film" if shares else "little of a film"
    return Decision(
        value="bce_dice", reason=f"Dice beside BCE, as the smallest label covers {share}; paper: BCE."
    )


def _published_name(s: Situation) -> str:
    if s.family == VIT:
        return "SAM's ViT-B encoder (768 wide, 12 deep)"
    return "4 levels, 64 initial filters"


# In the order in which they are asked: a rule sees what those before it chose.
DEFAULT_RULES: Mapping[str, Rule] = {
    "precision": precision,
    "network": network,
    "resize": resize,
    "input_size": input_size,
    "normalization": normalization,
    "batch_size": batch_size,
    "learning_rate": learning_rate,
    "epochs": epochs,
    "num_workers": num_workers,
    "augmentation": augmentation,
    "loss": loss,
}
