"""Draw docs/images/phantom.png: a synthetic radiograph, and the contours of its spinous processes.

Run from the repository: ``python docs/make_picture.py [FILE]``. No patient's image is used.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cervseg.figures.overlays import overlay, to_grey
from cervseg.phantom.radiograph import make_phantom

FILE = Path(__file__).parent / "images" / "phantom.png"
HEIGHT_PX = 480


def draw(path: Path) -> None:
    """Write the image and the same image with contours, side by side."""
    phantom = make_phantom(seed=0, index=8, long_side_px=HEIGHT_PX, hardware=False, fracture=False)
    levels = np.zeros_like(phantom.mask)
    for value, level in enumerate(sorted(phantom.level_masks), start=1):
        levels[phantom.level_masks[level] > 0] = value
    names = dict(enumerate(sorted(phantom.level_masks), start=1))
    plain = cv2.cvtColor(to_grey(phantom.pixels), cv2.COLOR_GRAY2RGB)
    gap = np.full((HEIGHT_PX, 8, 3), 255, np.uint8)
    picture = np.hstack([plain, gap, overlay(phantom.pixels, levels, names=names)])
    few_colors(picture).save(path, optimize=True)


def few_colors(picture: np.ndarray) -> Image.Image:
    """Reduce H x W x 3 uint8 to 64 grays and the 192 colors that fit the colored pixels best."""
    colored = picture[np.ptp(picture, axis=-1) > 0]
    colors = Image.fromarray(colored[None]).quantize(192).getpalette()[: 3 * 192]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*np.repeat(np.linspace(0, 255, 64).round().astype(int), 3).tolist(), *colors])
    return Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
