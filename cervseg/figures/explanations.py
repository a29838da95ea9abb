"""Attention and Grad-CAM maps over their image (Fig. 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cervseg.figures.overlays import to_grey
from cervseg.figures.style import add_foot, new_figure, styled
from cervseg.imageio.colour import grey_to_rgb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE_PX = 700
_COLOURS = "inferno"


def explanation_panel(
    image: np.ndarray,
    mask: np.ndarray,
    maps: Mapping[str, np.ndarray],
    *,
    points: Mapping[str, tuple[float, float]] | None = None,
    note: str = "",
) -> Figure:
    """Draw the image with the outline of its mask, and beside it each map as heat over the image.

    Every map is scaled to its own range, from its median to its 99.5th percentile.

    Args:
        image: H x W, any numeric type.
        mask: H x W label values.
        maps: title -> H x W, at least 0.
        points: title of a map -> (x, y) in px of the image, to mark in this map.
        note: sentences below the figure.

    Returns:
        The figure.
    """
    factor = min(1.0, _SIDE_PX / max(image.shape))
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    grey = grey_to_rgb(cv2.resize(to_grey(image), size, interpolation=cv2.INTER_AREA))
    small = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    points, num = points or {}, 1 + len(maps)
    with styled():
        figure = new_figure(height_mm=min(170.0, 150 / num * size[1] / size[0] + 16))
        axes = figure.subplots(1, num, squeeze=False)[0]
        for axis, title in zip(axes, ["image and mask", *maps]):
            axis.imshow(grey)
            if (small > 0).any():
                axis.contour(small > 0, levels=[0.5], colors="white", linewidths=0.7)
            axis.set_title(title, fontsize=8)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
        drawn = None
        for axis, (title, values) in zip(axes[1:], maps.items()):
            heat = _scaled(values, size)
            drawn = axis.imshow(heat, cmap=_COLOURS, vmin=0, vmax=1, alpha=np.clip(0.15 + 1.2 * heat, 0, 0.8))
            if title in points:
                x, y = ((value + 0.5) * factor - 0.5 for value in points[title])
                axis.plot([x], [y], marker="+", color="white", markersize=9, markeredgewidth=2.4)
                axis.plot([x], [y], marker="+", color="#0072b2", markersize=8, markeredgewidth=1.2)
        if drawn is not None:
            bar = figure.colorbar(drawn, ax=list(axes), shrink=0.6, ticks=[0, 1])
            bar.ax.set_yticklabels(["median", "maximum"])
        add_foot(figure, note)
    return figure


def _scaled(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a map to (width, height) and scale it from its median to its 99.5th percentile, to [0, 1]."""
    heat = cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    low, high = np.percentile(heat, [50, 99.5])
    scaled: np.ndarray = np.clip((heat - low) / max(float(high - low), 1e-12), 0, 1)
    return scaled
