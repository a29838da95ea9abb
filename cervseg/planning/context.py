"""Input of the planner's rules: the dataset, the machine and earlier decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cervseg.core.types import Decision, Fingerprint, Hardware
from cervseg.planning import constants
from cervseg.planning.constants import SAM, Size
from cervseg.planning.cost import pass_seconds
from cervseg.planning.families import Family


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Input of a rule: the family, the dataset, the machine, and the decisions of earlier rules.

    ``chosen`` maps field names to the values of earlier rules, in the order of the rule table.
    """

    family: Family
    fingerprint: Fingerprint
    hardware: Hardware
    sam_checkpoint: bool
    is_synthetic: bool = False
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_large_gpu(self) -> bool:
        """Whether there is a CUDA GPU with enough memory for the published sizes."""
        return self.hardware.accelerator == "cuda" and (
            self.hardware.accelerator_memory_gib >= constants.LARGE_GPU_GIB
        )

    @property
    def cores(self) -> int:
        """Number of CPU cores; a small GPU counts as a fixed number of cores."""
        if self.hardware.accelerator == "cpu":
            return self.hardware.num_cores
        return max(self.hardware.num_cores, constants.ACCELERATOR_AS_CORES)

    @property
    def machine(self) -> str:
        """The machine in words, for the start of a reason."""
        hardware = self.hardware
        if hardware.accelerator == "cpu":
            return f"{self.cores_in_words}, no GPU"
        memory = f"{hardware.accelerator_memory_gib:.0f} GiB"
        return f"{self.cores_in_words}, {hardware.accelerator_name} with {memory}"

    @property
    def cores_in_words(self) -> str:
        """Number of CPU cores in words: "2 cores"."""
        return f"{self.hardware.num_cores} core{'s' if self.hardware.num_cores != 1 else ''}"

    @property
    def size_name(self) -> str:
        """Largest size of the family that this machine can train."""
        if self.has_large_gpu:
            return "published"
        return "medium" if self.cores >= constants.MEDIUM_FROM_CORES else "small"

    @property
    def size(self) -> Size:
        """The entry of that name in the table of sizes."""
        return self.family.sizes[self.size_name]

    @property
    def published(self) -> Size:
        """The size in the paper; for nnU-Net, its own."""
        return self.family.sizes["published"]

    @property
    def weights(self) -> str:
        """Published weights that a network of this size starts from, in words; empty if there are none."""
        wanted = self.size.start or self.family.weights
        return "" if wanted == SAM and not self.sam_checkpoint else wanted

    @property
    def num_training(self) -> int:
        """Number of training cases per fold."""
        return max(1, round(self.fingerprint.num_cases * constants.TRAINING_SHARE))

    def explain(self, rule: str, reason: str) -> str:
        """Format a reason: as a sentence, followed by the value in the paper (or nnU-Net).

        Args:
            rule: name of the rule.
            reason: why its value was chosen, without a full stop.
        """
        sentence = reason[0].upper() + reason[1:]
        return f"{sentence}. {self.family.reference}: {self.family.protocol[rule]}."

    def fitted(self, size: Size, input_size: Sequence[int]) -> Decision:
        """Complete the network arguments of a size by those that depend on the frame and the labels.

        Args:
            size: an entry of the table of sizes.
            input_size: (height, width) of the frame in px.
        """
        fit = self.family.fit(input_size, self.fingerprint)
        return Decision(value={**size.network, **fit.value}, reason=fit.reason)

    def seconds_per_image(self, input_size: Sequence[int], network: Mapping[str, Any]) -> float:
        """Estimate the CPU time in s of one training image.

        Args:
            input_size: (height, width) of the frame in px.
            network: size arguments of the network.
        """
        return pass_seconds(
            family=self.family.name,
            network=network,
            input_size=(input_size[0], input_size[1]),
            cores=self.hardware.num_cores,
            precision=self.chosen["precision"],
        )


Rule = Callable[[Situation], Decision]


def in_words(seconds: float) -> str:
    """Format a duration for a sentence.

    Args:
        seconds: the duration.
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 5940:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
