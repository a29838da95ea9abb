"""The rule for the network frame: the films' shape, the px the machine affords, thin structures kept."""

from __future__ import annotations

import math

from cervseg.core.types import Decision, Fingerprint
from cervseg.planning import sizes
from cervseg.planning.situation import Situation, in_words
from cervseg.planning.sizes import MULTIPLE_PX, VIT, whole_multiple


def input_size(s: Situation) -> Decision:
    """(height, width) of the network frame."""
    side = s.published.frame_px
    if s.has_large_gpu and s.family == VIT:
        return Decision(
            value=[side, side],
            reason=f"{s.machine}: the published frame, which SAM's position embeddings were made for; "
            f"paper: {side} x {side} stretched.",
        )
    if s.has_large_gpu:
        budget, longest = side * side, 2 * side
        reason = f"{s.machine}: as many px as {side} x {side}"
    else:
        budget, longest = s.cores * sizes.PIXELS_A_CORE[s.family], sizes.SMALL_LONG_SIDE_PX
        reason = f"{s.machine}: {budget:,} px affordable, {longest} px a side at most"
    frame = largest_frame(s.fingerprint, budget_px=budget, longest_px=longest)
    frame, thin = _for_thin_structures(s, frame, budget_px=budget, longest_px=longest)
    reason += f", {_shape(s.fingerprint)}{thin}"
    if s.hardware.accelerator == "cpu":
        reason += f"; about {in_words(s.seconds_a_film(frame))} a film in training"
    return Decision(value=list(frame), reason=f"{reason}; paper: {side} x {side} stretched.")


def aspects_vary(fingerprint: Fingerprint) -> bool:
    """Are some films portrait and others landscape, or nearly so? Then no one shape fits them."""
    aspect = fingerprint.aspect
    return aspect.minimum > 0 and aspect.maximum / aspect.minimum > 2


def largest_frame(
    fingerprint: Fingerprint, *, budget_px: float, longest_px: int, enough: float = math.inf
) -> tuple[int, int]:
    """The frame of whole multiples of 32 in which the median film, aspect kept, is largest.

    The frame is no larger than that film, no longer than ``longest_px`` and holds about ``budget_px``
    pixels at most; of equally good frames it is the smallest. A scale of ``enough`` network px a film px
    need not be surpassed. The frame is square where the aspects vary.
    """
    height, width = fingerprint.height_px.median, fingerprint.width_px.median
    square = aspects_vary(fingerprint)
    if square:
        height = width = max(height, width)
    best, best_scale = (MULTIPLE_PX, MULTIPLE_PX), 0.0
    for h in _sides(height, longest_px):
        for w in _sides(width, longest_px):
            if h * w > budget_px * sizes.BUDGET_TOLERANCE or (square and h != w):
                continue
            # Rounded, so that frames which hold the film equally large compare as equal.
            scale = round(min(h / height, w / width, enough), 9)
            if scale > best_scale or (scale == best_scale and h * w < best[0] * best[1]):
                best, best_scale = (h, w), scale
    return best


def _sides(film_px: float, longest_px: int) -> range:
    return range(MULTIPLE_PX, whole_multiple(min(film_px, longest_px), down=True) + 1, MULTIPLE_PX)


def _for_thin_structures(
    s: Situation, frame: tuple[int, int], *, budget_px: float, longest_px: int
) -> tuple[tuple[int, int], str]:
    """A larger frame, within reason, where thin structures would vanish; and what the reason says."""
    thin = min((f.thickness_px.median for f in s.fingerprint.labels.values() if f.num_cases), default=0.0)
    if thin <= 0:
        return frame, ""
    wanted, seen, note = sizes.THIN_STRUCTURE_PX, thin * _scale(s.fingerprint, frame), ""
    if seen < wanted:
        budget_px *= sizes.THIN_STRUCTURE_OVERDRAFT
        larger = largest_frame(
            s.fingerprint, budget_px=budget_px, longest_px=longest_px, enough=wanted / thin
        )
        if larger != frame:
            note = f", enlarged from {frame[0]} x {frame[1]} for thin structures"
        frame, seen = larger, thin * _scale(s.fingerprint, larger)
    short = f" (less than the {wanted} wanted)" if seen < wanted else ""
    return frame, f"{note}; the thinnest label is {seen:.1f} px wide in it{short}"


def _scale(fingerprint: Fingerprint, frame: tuple[int, int]) -> float:
    """Network px a film px, for the median film."""
    return min(frame[0] / fingerprint.height_px.median, frame[1] / fingerprint.width_px.median)


def _shape(fingerprint: Fingerprint) -> str:
    aspect = fingerprint.aspect
    if aspects_vary(fingerprint):
        return f"square, as the films' height/width goes from {aspect.minimum:.2f} to {aspect.maximum:.2f}"
    return f"shaped like the median film (height/width {aspect.median:.2f})"
