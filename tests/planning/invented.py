"""Invented datasets and machines."""

from __future__ import annotations

from cervseg.core.types import DatasetDescription, Distribution, Fingerprint, Hardware, LabelFingerprint


def spread(median: float, *, low: float | None = None, high: float | None = None) -> Distribution:
    """A distribution around ``median``."""
    low, high = median if low is None else low, median if high is None else high
    return Distribution(minimum=low, median=median, mean=median, maximum=high, standard_deviation=0.0)


def images(
    *,
    height: float = 1200,
    width: float = 1000,
    num_cases: int = 400,
    thickness: float = 40,
    area: float = 0.02,
    aspects: tuple[float, float] | None = None,
) -> Fingerprint:
    """A fingerprint of images with one label."""
    aspect = height / width
    low, high = aspects or (aspect, aspect)
    label = LabelFingerprint(
        num_cases=num_cases,
        area_fraction=spread(area),
        num_components=spread(6),
        component_area_px=spread(4000),
        thickness_px=spread(thickness),
    )
    return Fingerprint(
        num_cases=num_cases,
        num_channels=1,
        height_px=spread(height),
        width_px=spread(width),
        aspect=spread(aspect, low=low, high=high),
        spacing_mm=None,
        num_with_spacing=0,
        bit_depth=8,
        intensity=spread(90, low=0, high=255),
        intensity_percentile_0_5=2.0,
        intensity_percentile_99_5=241.0,
        labels={"spinous_process": label},
        num_empty_masks=0,
    )


def processor(num_cores: int, *, bfloat16: bool = True) -> Hardware:
    """A machine without an accelerator."""
    return Hardware(
        num_cores=num_cores,
        ram_gib=16.0,
        accelerator="cpu",
        accelerator_name="",
        accelerator_memory_gib=0.0,
        bfloat16=bfloat16,
    )


def gpu(memory_gib: float, *, bfloat16: bool = True, kind: str = "cuda", num_cores: int = 16) -> Hardware:
    """A machine with one accelerator."""
    return Hardware(
        num_cores=num_cores,
        ram_gib=64.0,
        accelerator=kind,
        accelerator_name="Some GPU",
        accelerator_memory_gib=memory_gib,
        bfloat16=bfloat16,
    )


DESCRIPTION = DatasetDescription(
    name="Dataset001_Invented",
    channel_names=("xray",),
    labels={"background": 0, "spinous_process": 1},
    num_training=400,
    file_ending=".png",
)
