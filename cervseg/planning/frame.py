"""The rule for the input size: shape of the images, budget of the machine, thin structures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cervseg.core.geometry import WHOLE, around
from cervseg.core.types import Decision, Distribution, Fingerprint
from cervseg.planning import constants
from cervseg.planning.constants import MULTIPLE_PX, whole_multiple
from cervseg.planning.context import Situation


@dataclass(frozen=True, kw_only=True)
class Room:
    """Limits of a frame, from the machine and the network.

    Args:
        budget_px: number of px, up to a tolerance.
        longest_px: longest side.
        multiple_px: maps the shorter side to the number that both sides must be a multiple of.
    """

    budget_px: float
    longest_px: int
    multiple_px: Callable[[int], int]

    def has(self, frame: tuple[int, int]) -> bool:
        """Tell whether a frame (height, width) is within the budget and divisible.

        Args:
            frame: in px.
        """
        height, width = frame
        multiple = self.multiple_px(min(frame))
        affordable = height * width <= self.budget_px * constants.BUDGET_TOLERANCE
        return affordable and height % multiple == width % multiple == 0


def crop(s: Situation) -> Decision:
    """Decide which part of each image the network sees: where labels lie, with a margin, or all of it."""
    reason = _why_whole(s)
    labelled = around([label.extent for label in s.fingerprint.shown if label.extent is not None])
    if reason or labelled is None:
        return Decision(value=list(WHOLE), reason=s.explain("crop", reason))
    top, left, bottom, right = labelled
    value = (*(_rounded(side, -1) for side in (top, left)), *(_rounded(side, 1) for side in (bottom, right)))
    area = (value[2] - value[0]) * (value[3] - value[1])
    if area > constants.CROP_AREA:
        return Decision(value=list(WHOLE), reason=s.explain("crop", "labels lie almost everywhere"))
    reason = (
        f"all labels lie between {100 * left:.0f} and {100 * right:.0f} % of the width and between "
        f"{100 * top:.0f} and {100 * bottom:.0f} % of the height: with a margin, the frame shows "
        f"{100 * area:.0f} % of an image, and nothing is found elsewhere (crop=0,0,1,1 shows all)"
    )
    return Decision(value=list(value), reason=s.explain("crop", reason))


def _rounded(side: float, direction: int) -> float:
    """Move a side of the box outwards by the margin, and on to the next whole percent within the image."""
    moved = math.ceil(100 * (direction * side + constants.CROP_MARGIN) - 1e-9) / 100 * direction
    return min(max(moved, 0.0), 1.0)


def _why_whole(s: Situation) -> str:
    """Say why images are not cropped; empty if they may be."""
    if s.is_synthetic:
        return "whole images, because radiographs are framed more freely than synthetic images"
    if max((label.num_cases for label in s.fingerprint.shown), default=0) < constants.CROP_CASES:
        return f"whole images: fewer than {constants.CROP_CASES} show where labels lie"
    if aspects_vary(s.fingerprint):
        return "whole images, because their shapes differ"
    if any(label.extent is None for label in s.fingerprint.shown):
        return "whole images: it is not known where labels lie"
    return ""


def cropped(fingerprint: Fingerprint, crop: Sequence[float]) -> Fingerprint:
    """Return a fingerprint with the sizes of cropped images.

    Args:
        fingerprint: of whole images.
        crop: (top, left, bottom, right) as fractions of an image.
    """
    height, width = crop[2] - crop[0], crop[3] - crop[1]
    return replace(
        fingerprint,
        height_px=_times(fingerprint.height_px, height),
        width_px=_times(fingerprint.width_px, width),
        aspect=_times(fingerprint.aspect, height / width),
    )


def _times(distribution: Distribution, factor: float) -> Distribution:
    return Distribution(**{name: factor * value for name, value in vars(distribution).items()})


def input_size(s: Situation) -> Decision:
    """Decide the (height, width) of the network frame."""
    side = s.published.frame_px
    if s.has_large_gpu and s.family.fixed_frame:
        reason = f"{s.machine}: the published size, which SAM's position embeddings expect"
        return Decision(value=[side, side], reason=s.explain("input_size", reason))
    if s.has_large_gpu:
        budget, longest = side * side, 2 * side
        reason = f"{s.machine}: as many px as {side} x {side}"
    else:
        name, longest = s.family.name, constants.SMALL_LONG_SIDE_PX
        budget = max(s.cores * constants.PIXELS_A_CORE[name], constants.FEWEST_PIXELS.get(name, 0))
        reason = f"{s.machine}: about {budget:,} px, sides up to {longest} px"
    room = Room(budget_px=budget, longest_px=longest, multiple_px=s.family.multiple_px)
    fingerprint = cropped(s.fingerprint, s.chosen["crop"])
    frame = largest_frame(fingerprint, room)
    frame, thin = _for_thin_structures(fingerprint, frame, room)
    reason += f"; {_shape(fingerprint)}{thin}"
    return Decision(value=list(frame), reason=s.explain("input_size", reason))


def aspects_vary(fingerprint: Fingerprint) -> bool:
    """Tell whether the aspect ratios differ so much that no single shape fits all images.

    Args:
        fingerprint: of the dataset.
    """
    aspect = fingerprint.aspect
    return aspect.minimum > 0 and aspect.maximum / aspect.minimum > 2


def largest_frame(fingerprint: Fingerprint, room: Room, *, enough: float = math.inf) -> tuple[int, int]:
    """Find the frame that shows the median image at the largest scale, but not larger than the image.

    Among equally good frames it is the smallest. The frame is square if the aspect ratios vary.

    Args:
        fingerprint: of the dataset.
        room: limits of the frame.
        enough: scale (network px per image px) that need not be exceeded.

    Returns:
        (height, width) in px.
    """
    height, width = fingerprint.height_px.median, fingerprint.width_px.median
    square = aspects_vary(fingerprint)
    if square:
        height = width = max(height, width)
    best, best_scale = (MULTIPLE_PX, MULTIPLE_PX), 0.0
    for h in _sides(height, room.longest_px):
        for w in _sides(width, room.longest_px):
            if not room.has((h, w)) or (square and h != w):
                continue
            # Rounded, so that frames with the same scale compare equal.
            scale = round(min(h / height, w / width, enough), 9)
            if scale > best_scale or (scale == best_scale and h * w < best[0] * best[1]):
                best, best_scale = (h, w), scale
    return best


def _sides(image_px: float, longest_px: int) -> range:
    return range(MULTIPLE_PX, whole_multiple(min(image_px, longest_px), down=True) + 1, MULTIPLE_PX)


def _for_thin_structures(
    fingerprint: Fingerprint, frame: tuple[int, int], room: Room
) -> tuple[tuple[int, int], str]:
    """Enlarge the frame, within limits, if thin structures would vanish; also return words for the reason.

    Auxiliary labels do not count: a larger frame costs time, and only labels that are shown need to be sharp.
    """
    thin = min((label.thickness_px.median for label in fingerprint.shown), default=0.0)
    if thin <= 0:
        return frame, ""
    wanted, seen, note = constants.THIN_STRUCTURE_PX, thin * _scale(fingerprint, frame), ""
    if seen < wanted:
        roomier = replace(room, budget_px=room.budget_px * constants.THIN_STRUCTURE_OVERDRAFT)
        larger = largest_frame(fingerprint, roomier, enough=wanted / thin)
        if larger != frame:
            note = f"; enlarged from {frame[0]} x {frame[1]} for thin structures"
        frame, seen = larger, thin * _scale(fingerprint, larger)
    short = f" (target: {wanted} px)" if seen < wanted else ""
    return frame, f"{note}; the thinnest label is {seen:.1f} px wide{short}"


def _scale(fingerprint: Fingerprint, frame: tuple[int, int]) -> float:
    """Compute network px per image px for the median image."""
    return min(frame[0] / fingerprint.height_px.median, frame[1] / fingerprint.width_px.median)


def _shape(fingerprint: Fingerprint) -> str:
    aspect = fingerprint.aspect
    if aspects_vary(fingerprint):
        return f"square, because height/width varies from {aspect.minimum:.2f} to {aspect.maximum:.2f}"
    return f"shape of the median image (height/width {aspect.median:.2f})"
