"""The dataset's fingerprint."""

from __future__ import annotations

from typing import Protocol

from cervseg.core.types import Distribution, Plan
from cervseg.report.blocks import Facts, Section


class PlannedContent(Protocol):
    """A report with a plan."""

    @property
    def plan(self) -> Plan | None:
        """The plan; None if there is none."""

    @property
    def configurations(self) -> tuple[str, ...]:
        """The configurations to show."""


def dataset_section(content: PlannedContent) -> Section | None:
    """Show the size of the dataset and of its images."""
    plan = content.plan
    if plan is None:
        return None
    fingerprint, dataset = plan.fingerprint, plan.dataset
    num_groups = len(set(dataset.groups.values()))
    hardware = plan.hardware
    auxiliary = ", ".join(dataset.auxiliary)
    facts = {
        "dataset": dataset.name,
        "training images": str(fingerprint.num_cases),
        "labels": ", ".join(f"{name} ({value})" for name, value in dataset.foreground.items()),
        **({"auxiliary labels, trained but not scored": auxiliary} if auxiliary else {}),
        "height": _range(fingerprint.height_px),
        "width": _range(fingerprint.width_px),
        "bit depth": str(fingerprint.bit_depth),
        "pixel size": _spacing(plan),
        "empty masks": str(fingerprint.num_empty_masks),
        "groups (patients)": f"{num_groups}, never split over folds" if num_groups else "none given",
        "planned on": f"{hardware.num_cores} cores, {hardware.ram_gib:.0f} GiB, "
        f"{hardware.accelerator_name or hardware.accelerator}",
    }
    return Section(heading="Dataset", blocks=(Facts(facts=facts),))


def _range(found: Distribution) -> str:
    return f"{found.minimum:.0f} to {found.maximum:.0f} px, median {found.median:.0f} px"


def _spacing(plan: Plan) -> str:
    found = plan.fingerprint
    if found.spacing_mm is None:
        return "unknown: all distances are in px"
    known = f"{found.num_with_spacing} of {found.num_cases}"
    return f"median {found.spacing_mm.median:.3f} mm, known for {known} images"
