"""What is recorded about each traced image, and the reasons to check one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cervseg.convert.stylus.tracing import Tracing

_LARGE_GAP_WIDTHS = 4
_TINY = 0.15
_UNLIKE = 2
_MIN_IMAGES_TO_COMPARE = 5
# Share of the image's own spread. Images saved as JPEG, brighter or of another gamma have up to 0.08,
# lateral images of two patients at least 0.21.
_OTHER_PICTURE = 0.15
_MIN_OTHER_GREY = 2.0
_STEP = 7


@dataclass(frozen=True, kw_only=True)
class TracedImage:
    """One image of the dataset and its tracing.

    Args:
        case: name of the case.
        tracing: the picture that the mask was read from.
        test: whether the case is held out.
        areas_px: areas of the separate masks, largest first.
        stroke_width_px: usual width of the strokes.
        gaps_px: gaps in open strokes that were closed, largest first.
        doubts: reasons to check the mask.
    """

    case: str
    tracing: Path
    test: bool
    areas_px: tuple[int, ...]
    stroke_width_px: float
    gaps_px: tuple[float, ...]
    doubts: tuple[str, ...] = ()


def doubts_of(found: Tracing) -> list[str]:
    """Reasons to check a mask that its own tracing gives."""
    gap_px = max(found.gaps_px, default=0.0)
    lines = [
        (found.num_open, f"{found.num_open} red stroke(s) enclose nothing, or only in part"),
        (found.num_between, f"{found.num_between} filled area(s) are between tracings that touch or overlap"),
        (
            gap_px > _LARGE_GAP_WIDTHS * found.width_px,
            f"an open stroke was closed over a gap of {gap_px:.0f} px",
        ),
        (found.touches_border, "a mask touches the image's border"),
    ]
    return [text for holds, text in lines if holds]


def differs(pixels: np.ndarray, picture: np.ndarray, mask: np.ndarray) -> bool:
    """Decide whether an image and its traced copy show different images.

    Most pixels carry no stroke, so the median difference decides. A tablet may change brightness, contrast or
    gamma; a parabola fitted between the two takes that out.

    Args:
        pixels: H x W uint8 or uint16, the image.
        picture: H x W x 3 uint8, the traced copy.
        mask: H x W; pixels with a label are ignored.
    """
    image = pixels.astype(np.float32) / (np.iinfo(pixels.dtype).max / 255)
    grey = picture.astype(np.float32).mean(axis=2)
    image, grey = image[mask == 0][::_STEP], grey[mask == 0][::_STEP]
    fitted = np.polynomial.Polynomial.fit(image, grey, 2)
    unexplained = np.median(np.abs(fitted(image) - grey))
    spread = np.median(np.abs(grey - np.median(grey)))
    return bool(unexplained > max(_OTHER_PICTURE * spread, _MIN_OTHER_GREY))


def compared(images: Sequence[TracedImage]) -> list[TracedImage]:
    """Add the doubts that only a comparison with the other images gives."""
    counts = [len(image.areas_px) for image in images]
    usual = float(np.median(counts)) if counts else 0.0
    found = []
    for image, count in zip(images, counts):
        doubts = list(image.doubts)
        if len(images) >= _MIN_IMAGES_TO_COMPARE and abs(count - usual) >= _UNLIKE:
            doubts.append(f"{count} separate mask(s), most images have {usual:g}")
        tiny = sum(area < _TINY * float(np.median(image.areas_px)) for area in image.areas_px)
        if tiny:
            doubts.append(f"{tiny} mask(s) are much smaller than the others")
        found.append(replace(image, doubts=tuple(doubts)))
    return found
