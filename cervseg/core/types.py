"""The values that pass between stages: frozen, keyword-only, without behaviour.

Conventions: arrays are (row, column), images are C x H x W and sizes are (height, width); points are
(x, y) = (column, row); spacing is (row_mm, column_mm), None if unknown. A ``mask`` is H x W uint8 whose
values are label numbers, 0 = background. Suffixes are units (``_mm _px _deg _s``); counts start with
``num_``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cervseg.core.geometry import WHOLE, Box, Placement

SpacingMm = tuple[float, float]
Variant = Literal["original", "clahe", "augmented"]
Preset = Literal["default", "paper"]
Resize = Literal["pad", "stretch"]
Normalization = Literal["unit", "zscore", "sam"]
Precision = Literal["float32", "bfloat16", "float16"]
AcceleratorKind = Literal["cpu", "cuda", "mps"]
DecisionOrigin = Literal["rule", "user", "mixed"]


@dataclass(frozen=True, kw_only=True)
class DatasetDescription:
    """Content of dataset.json: nnU-Net v2's fields under our names.

    ``labels`` maps names to consecutive integers, background = 0. ``groups`` maps a case id to its patient
    (or other group); the images of a group are always in the same fold. A case without an entry is its own
    group. ``auxiliary`` names labels that help to train and are neither shown nor scored; they have the
    highest numbers. ``synthetic`` says that the images are phantoms, not radiographs. ``levels_of`` names the
    structure whose levels the shown labels are, from top to bottom (C1 to C7 of "spinous_process"); empty if
    they are different structures.
    """

    name: str
    channel_names: tuple[str, ...]
    labels: dict[str, int]
    num_training: int
    file_ending: str
    groups: dict[str, str] = field(default_factory=dict)
    spacing_mm: dict[str, SpacingMm] = field(default_factory=dict)
    auxiliary: tuple[str, ...] = ()
    synthetic: bool = False
    levels_of: str = ""

    @property
    def foreground(self) -> dict[str, int]:
        """Labels that are shown and scored, name -> number 1, 2, ...: all but background and auxiliary."""
        return {name: value for name, value in self.trained.items() if name not in self.auxiliary}

    @property
    def auxiliary_values(self) -> frozenset[int]:
        """The numbers of the auxiliary labels."""
        return frozenset(self.labels[name] for name in self.auxiliary)

    @property
    def trained(self) -> dict[str, int]:
        """Labels that a network learns, one plane each: ``foreground``, then the auxiliary labels."""
        return {name: value for name, value in sorted(self.labels.items(), key=lambda kv: kv[1]) if value}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One image: its id, its image files (one per channel), its mask if there is one, its group."""

    id: str
    images: tuple[Path, ...]
    mask: Path | None
    group: str


@dataclass(frozen=True, kw_only=True)
class RawImage:
    """An image as its file holds it: C x H x W uint8, uint16 or float32."""

    pixels: np.ndarray
    spacing_mm: SpacingMm | None
    path: Path
    spacing_source: str = ""
    is_colour: bool = False


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Five numbers that describe a sample; all zero if the sample is empty."""

    minimum: float
    median: float
    mean: float
    maximum: float
    standard_deviation: float


@dataclass(frozen=True, kw_only=True)
class LabelFingerprint:
    """Appearance of one label: fraction of the image's area, connected components, thickness in px.

    ``mirror_overlap`` is the fraction of the label, summed over all images, that overlaps its mirror image:
    1 if the label is symmetric or images face both ways, 0 if it is always on one side or not measured.
    ``is_auxiliary``: the label is trained but neither shown nor scored. ``extent`` is the box around the
    label in all images, (top, left, bottom, right) as fractions of their heights and widths.
    """

    num_cases: int
    area_fraction: Distribution
    num_components: Distribution
    component_area_px: Distribution
    thickness_px: Distribution
    mirror_overlap: float = 0.0
    is_auxiliary: bool = False
    extent: Box | None = None


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """Look of the images of a dataset, for comparison with new images.

    ``num_colour`` counts images stored in colour. ``thumbnail`` is the mean image, averaged over a grid of
    cells and normalized to mean 0 and standard deviation 1, row by row; ``similarity`` is the correlation of
    each image with it.
    """

    num_colour: int
    thumbnail: tuple[float, ...]
    similarity: Distribution


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Statistics of a dataset. Intensities are exact: they come from the histogram of all pixels.

    ``labels`` has every trained label; ``num_empty_masks`` counts masks without a label that is shown.
    """

    num_cases: int
    num_channels: int
    height_px: Distribution
    width_px: Distribution
    aspect: Distribution
    spacing_mm: Distribution | None
    num_with_spacing: int
    bit_depth: int
    intensity: Distribution
    intensity_percentile_0_5: float
    intensity_percentile_99_5: float
    labels: dict[str, LabelFingerprint]
    num_empty_masks: int
    appearance: Appearance | None = None

    @property
    def shown(self) -> list[LabelFingerprint]:
        """The labels that some image has and that are not auxiliary: the frame and the loss suit these."""
        return [label for label in self.labels.values() if label.num_cases and not label.is_auxiliary]


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Hardware that a plan is made for. ``accelerator`` is the device that trains; memory in GiB."""

    num_cores: int
    ram_gib: float
    accelerator: AcceleratorKind
    accelerator_name: str
    accelerator_memory_gib: float
    bfloat16: bool


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Ranges of random augmentation; probabilities are in [0, 1].

    ``rotation_deg`` and ``shear_deg`` act in both directions; ``scale`` is a range of factors;
    ``translation`` is a fraction of the network frame's side; ``gamma``, ``contrast`` and ``brightness``
    act on intensities scaled to [0, 1].

    A ``probability`` of 0 turns everything off. The changes after it are off by default. Each has a
    probability of its own; for all but the elastic deformation it holds for images that are changed strongly
    at all, a fraction ``strong``. See :mod:`cervseg.training.strong`.

    Args:
        elastic: largest standard deviation of the displacement, a fraction of the frame's mean side.
        curve: largest standard deviation of the logarithm of a monotone intensity curve's slopes.
        equalize: clip limits of adaptive histogram equalization (CLAHE).
        bias: largest standard deviation of the logarithm of a smooth gain.
        bias_haze: largest value of a smooth field that is added.
        sharpness: weights of the detail that is added (above 0) or removed (below 0).
        sharpness_px: standard deviation of the blur that separates detail.
        resolution: factors of down- and upsampling.
        grain: largest standard deviation of blurred noise.
        grain_px: standard deviation of its blur.
        impulse: largest fraction of pixels that become black or white.
        collimation: largest fraction of a side that is darkened at each edge.
        erase: largest number of grey rectangles.
        erase_size: their sides, fractions of the frame's.
    """

    rotation_deg: float = 15.0
    scale: tuple[float, float] = (0.8, 1.25)
    translation: float = 0.08
    shear_deg: float = 0.0
    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    gamma: tuple[float, float] = (0.7, 1.5)
    contrast: tuple[float, float] = (0.75, 1.25)
    brightness: float = 0.1
    noise: float = 0.04
    blur_px: float = 1.0
    probability: float = 0.8
    elastic: float = 0.015
    elastic_probability: float = 0.0
    strong: float = 1.0
    curve: float = 0.7
    curve_probability: float = 0.0
    equalize: tuple[float, float] = (1.0, 6.0)
    equalize_probability: float = 0.0
    bias: float = 0.3
    bias_haze: float = 0.15
    bias_probability: float = 0.0
    sharpness: tuple[float, float] = (-0.7, 1.5)
    sharpness_px: tuple[float, float] = (1.0, 16.0)
    sharpness_probability: float = 0.0
    resolution: tuple[float, float] = (1.0, 4.0)
    resolution_probability: float = 0.0
    grain: float = 0.06
    grain_px: tuple[float, float] = (0.6, 2.0)
    grain_probability: float = 0.0
    impulse: float = 0.03
    impulse_probability: float = 0.0
    collimation: float = 0.2
    collimation_probability: float = 0.0
    inversion_probability: float = 0.0
    erase: int = 5
    erase_size: tuple[float, float] = (0.04, 0.2)
    erase_probability: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Hyperparameters of a training run; ``--set name=value`` replaces one.

    Options with a default are off by default, or the same for all networks. ``accumulate`` is the number of
    batches per optimizer step. ``ema_decay`` = 0 keeps no moving average of the weights; see
    :mod:`cervseg.training.ema`. Four options concern the encoder (:mod:`cervseg.training.freezing`):
    ``freeze_encoder`` trains none of it, ``train_last_blocks`` only its last blocks (-1: all),
    ``lora_rank`` low-rank updates of its attention (0: none), and ``layer_decay`` multiplies the learning
    rate of each block relative to the next one (1: off). ``checkpoint_blocks`` recomputes the encoder's
    blocks in the backward pass: less memory, more time, the same result. ``distill_weight`` is the weight
    of the teacher's loss if there is a teacher; see :mod:`cervseg.training.distillation`.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 1e-2
    warmup_fraction: float = 0.05
    gradient_clip: float = 1.0
    ema_decay: float = 0.0
    accumulate: int = 1
    freeze_encoder: bool = False
    train_last_blocks: int = -1
    lora_rank: int = 0
    layer_decay: float = 1.0
    checkpoint_blocks: bool = False
    distill_weight: float = 0.5
    precision: Precision = "float32"
    num_workers: int = 1
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Settings for the networks of one family.

    ``input_size`` is (height, width) in px, each a multiple of 32. ``resize`` is "pad" (keeps the aspect
    ratio) or "stretch". ``crop`` is the part of each image that fills the frame: (top, left, bottom, right)
    as fractions of its height and width. ``normalization`` is "unit" ([0, 1]), "zscore" (per image: mean 0,
    standard deviation 1) or "sam" (SAM's pixel mean and standard deviation). ``network`` holds the size
    arguments of this family's networks, ``loss`` the family's default loss.
    """

    name: str
    input_size: tuple[int, int]
    resize: Resize
    normalization: Normalization
    network: dict[str, Any]
    loss: str
    hyperparameters: Hyperparameters
    augmentation: Augmentation
    crop: Box = WHOLE


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Value of one setting of a plan, and why.

    ``origin`` is "rule" (decided by the planner), "user" (set with ``--set``) or "mixed" (the user set some
    entries of the value).
    """

    value: Any
    reason: str
    origin: DecisionOrigin = "rule"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Content of plans.json; the keys of ``decisions`` are "<configuration>.<field>"."""

    dataset: DatasetDescription
    preset: Preset
    fingerprint: Fingerprint
    hardware: Hardware
    variants: tuple[Variant, ...]
    cache_long_side_px: int
    configurations: dict[str, Configuration]
    decisions: dict[str, Decision]


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A network as data: its registered name and the arguments of its factory."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PreparedCase:
    """An image in its network frame: float32 C x H x W, normalized; ``placement`` maps it to the image.

    ``points`` are for networks that take points: N x 3 float64, rows (x, y, label plane) in the same frame.
    """

    image: np.ndarray
    placement: Placement
    spacing_mm: SpacingMm | None
    points: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a structure with levels, such as a spinous process.

    Args:
        area_px: number of pixels.
        centroid: (x, y) in px.
        level: 1, 2, ... from the top; None if it is not known.
        confidence: probability of the level, given that levels increase downwards.
    """

    area_px: int
    centroid: tuple[float, float]
    level: int | None
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Prediction on the image's grid.

    ``mask`` is H x W uint8; ``probabilities`` is L x H x W float32 in [0, 1], one plane per label that is
    shown, in the order of the labels' values. ``parts`` are the parts of a structure with levels, from top to
    bottom.
    """

    mask: np.ndarray
    probabilities: np.ndarray
    spacing_mm: SpacingMm | None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """Where a result came from.

    ``started_from`` maps a part of the network to the source of its first weights; None for random weights.
    """

    versions: dict[str, str]
    seed: int
    commit: str
    device: str
    date: str
    started_from: dict[str, str | None] = field(default_factory=dict)
