"""What a rule may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cervseg.core.types import Decision, Fingerprint, Hardware
from cervseg.planning import constants
from cervseg.planning.constants import Size
from cervseg.planning.cost import pass_seconds
from cervseg.planning.families import SAM, Family


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What a rule may look at: the family, the dataset, the machine, and what the rules before it chose.

    ``chosen`` holds the values of earlier rules by field name; the order is that of the rule table.
    """

    family: Family
    fingerprint: Fingerprint
    hardware: Hardware
    sam_checkpoint: bool
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_large_gpu(self) -> bool:
        """CUDA with memory enough for the published sizes."""
        return self.hardware.accelerator == "cuda" and (
            self.hardware.accelerator_memory_gib >= constants.LARGE_GPU_GIB
        )

    @property
    def cores(self) -> int:
        """Cores of the processor, or what a small accelerator is worth in cores."""
        if self.hardware.accelerator == "cpu":
            return self.hardware.num_cores
        return max(self.hardware.num_cores, constants.ACCELERATOR_AS_CORES)

    @property
    def machine(self) -> str:
        """The machine in words, as reasons begin."""
        hardware = self.hardware
        if hardware.accelerator == "cpu":
            return f"{self.cores_in_words}, no accelerator"
        memory = f"{hardware.accelerator_memory_gib:.0f} GiB"
        return f"{self.cores_in_words}, {hardware.accelerator_name} with {memory}"

    @property
    def cores_in_words(self) -> str:
        """The processor in words: 2 cores."""
        return f"{self.hardware.num_cores} core{'s' if self.hardware.num_cores != 1 else ''}"

    @property
    def size_name(self) -> str:
        """Which entry of the table of sizes this machine affords."""
        if self.has_large_gpu:
            return "published"
        return "medium" if self.cores >= constants.MEDIUM_FROM_CORES else "small"

    @property
    def size(self) -> Size:
        """That entry."""
        return self.family.sizes[self.size_name]

    @property
    def published(self) -> Size:
        """The size that the paper used (of nnU-Net: its own)."""
        return self.family.sizes["published"]

    @property
    def weights(self) -> str:
        """The published weights that a network of this size starts from, in words; empty: random ones."""
        if self.family.weights == SAM and not (self.sam_checkpoint and self.size_name == "published"):
            return ""
        return self.family.weights

    @property
    def num_training(self) -> int:
        """Cases that one of five folds trains on."""
        return max(1, round(self.fingerprint.num_cases * constants.TRAINING_SHARE))

    def compared(self, rule: str) -> str:
        """What the others chose, as reasons end: "paper: float32."."""
        return f"{self.family.reference}: {self.family.protocol[rule]}."

    def fitted(self, size: Size, input_size: Sequence[int]) -> Decision:
        """The arguments of a size's network in this frame; the reason says what follows from the data."""
        fit = self.family.fit(input_size, self.fingerprint)
        return Decision(value={**size.network, **fit.value}, reason=fit.reason)

    def seconds_per_image(self, input_size: Sequence[int], network: Mapping[str, Any]) -> float:
        """About how long the processor trains on one image of this size."""
        return pass_seconds(
            family=self.family.name,
            network=network,
            input_size=(input_size[0], input_size[1]),
            cores=self.hardware.num_cores,
            precision=self.chosen["precision"],
        )


Rule = Callable[[Situation], Decision]


def in_words(seconds: float) -> str:
    """A duration as a sentence would say it."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 5940:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
