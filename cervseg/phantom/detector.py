"""From attenuation to a grey image: primary beam, scatter, photon noise, detector blur, logarithm, window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """How an image was taken and shown.

    Args:
        photons: quanta per detector pixel in the open beam.
        scatter: scattered intensity as a share of the primary's low-pass.
        blur_mm: standard deviation of the detector's point spread.
        tilt: change of the beam's logarithm across the image (heel effect), along x and y.
        contrast: slope of the display curve; 1.45 is usual.
        level: shift of the display curve in attenuation; positive is darker.
        equalize: share of the low frequencies taken away before display, 0..1.
        sharpen: weight of the unsharp mask that readers apply.
        black, white: grey values of no and of full attenuation, 0..255.
        border: what frames the image; ``border_px`` shares of width: left, top, right, bottom.
        marker: a lead letter at (x, y) shares of the image; "" for none.
        caption: window text burnt into the last rows.
    """

    photons: float
    scatter: float
    blur_mm: float
    tilt: tuple[float, float]
    contrast: float
    level: float
    equalize: float
    sharpen: float
    black: float
    white: float
    border: Literal["none", "black", "white"]
    border_shares: tuple[float, float, float, float]
    marker: str
    marker_at: tuple[float, float]
    caption: bool


def draw_exposure(rng: np.random.Generator) -> Exposure:
    """Draw how an image is taken."""
    border = str(rng.choice(["none", "black", "white"], p=(0.35, 0.5, 0.15)))
    return Exposure(
        photons=float(np.exp(rng.uniform(np.log(14000), np.log(90000)))),
        scatter=float(rng.uniform(0.10, 0.28)),
        blur_mm=float(rng.uniform(0.20, 0.36)),
        tilt=(float(rng.normal(0, 0.10)), float(rng.normal(0, 0.12))),
        contrast=float(rng.uniform(1.35, 1.9)),
        level=float(rng.normal(0, 0.14)),
        equalize=float(rng.uniform(0.3, 0.5)),
        sharpen=float(rng.uniform(0.1, 0.6)),
        black=float(rng.uniform(2, 22)),
        white=float(rng.uniform(244, 258)),
        border=border,  # type: ignore[arg-type]
        border_shares=tuple(float(s) for s in rng.exponential(0.007, 4)),  # type: ignore[arg-type]
        marker=str(rng.choice(["R", "L", ""], p=(0.75, 0.1, 0.15))),
        marker_at=(float(rng.uniform(0.90, 0.95)), float(rng.uniform(0.035, 0.08))),
        caption=bool(rng.random() < 0.3),
    )


def expose(
    attenuation: np.ndarray, exposure: Exposure, *, mm_per_pixel: float, rng: np.random.Generator
) -> np.ndarray:
    """The image's logarithmic signal.

    Args:
        attenuation: H x W float32, the beam's summed coefficient times path, no unit, >= 0.
        exposure: see :class:`Exposure`.
        mm_per_pixel: pixel size in mm.
        rng: source of the photon noise.

    Returns:
        H x W float32: measured attenuation with scatter, noise and blur.
    """
    intensity = cv2.exp(-attenuation)
    intensity = intensity + np.float32(exposure.scatter) * _lowpass(intensity, 16.0 / mm_per_pixel)
    # An image is read with a floor of offset signal, so that shoulders end in white and not in infinity.
    intensity += np.float32(0.004)
    if exposure.blur_mm / mm_per_pixel > 0.3:
        intensity = cv2.GaussianBlur(intensity, (0, 0), exposure.blur_mm / mm_per_pixel)
    # Poisson noise of many quanta: normal, with a variance that follows the intensity.
    quanta = np.float32(exposure.photons * (mm_per_pixel / 0.2) ** 1.2)
    grain = rng.standard_normal(intensity.shape, dtype=np.float32)
    if mm_per_pixel < 0.3:
        grain = cv2.GaussianBlur(grain, (3, 3), 0.55) * np.float32(1.65)
    intensity += cv2.sqrt(intensity * (1.0 / quanta)) * grain
    return -cv2.log(np.maximum(intensity, np.float32(1e-3)))


def display(signal: np.ndarray, exposure: Exposure, *, mm_per_pixel: float) -> np.ndarray:
    """Show a logarithmic signal as a reader sees it: an S-shaped image curve, bone bright; H x W uint8."""
    height, width = signal.shape
    slow = _lowpass(signal, 22.0 / mm_per_pixel)
    # Automatic exposure measures the middle of the field, as the reader's console does.
    middle = slow[int(0.25 * height) : int(0.6 * height), int(0.2 * width) : int(0.75 * width)]
    reference = float(np.mean(middle))
    flat = signal - np.float32(exposure.equalize) * (slow - np.float32(reference))
    flat += np.float32(exposure.sharpen) * (signal - _lowpass(signal, 1.2 / mm_per_pixel))
    rows = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * np.float32(exposure.tilt[1])
    columns = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None] * np.float32(exposure.tilt[0])
    steepness = np.float32(exposure.contrast)
    curve = cv2.exp((flat + (rows + columns) - np.float32(reference + 0.18 + exposure.level)) * -steepness)
    grey = np.float32(exposure.black) + np.float32(exposure.white - exposure.black) / (1.0 + curve)
    shown: np.ndarray = np.clip(grey, 0, 255).astype(np.uint8)
    return shown


def add_marker(attenuation: np.ndarray, exposure: Exposure, *, mm_per_pixel: float) -> None:
    """Put the lead letter on the cassette: an outlined letter, added to the attenuation in place."""
    if not exposure.marker:
        return
    height, width = attenuation.shape
    scale = 10.0 / mm_per_pixel / 22.0
    at = int(exposure.marker_at[0] * width - 10 * scale), int(exposure.marker_at[1] * height + 11 * scale)
    stroke = max(round(1.9 / mm_per_pixel), 2)
    letter = np.zeros(attenuation.shape, dtype=np.uint8)
    cv2.putText(letter, exposure.marker, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, stroke, cv2.LINE_AA)
    cv2.putText(
        letter, exposure.marker, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 90, max(stroke // 2, 1), cv2.LINE_AA
    )
    attenuation += letter * np.float32(0.9 / 255)


def frame(pixels: np.ndarray, exposure: Exposure) -> None:
    """Draw the border and the burnt-in text over ``pixels`` (H x W uint8) in place."""
    height, width = pixels.shape
    if exposure.border != "none":
        value = 0 if exposure.border == "black" else 255
        left, top, right, bottom = (round(share * width) for share in exposure.border_shares)
        pixels[:, :left] = pixels[:top] = pixels[:, width - right :] = pixels[height - bottom :] = value
    if exposure.caption:
        scale = width / 482 * 0.3
        at = int(width * 0.44), height - max(int(width * 0.004), 1)
        for value, stroke in ((0, 3), (235, 1)):
            cv2.putText(
                pixels, "W:4096 L:2048", at, cv2.FONT_HERSHEY_SIMPLEX, scale, value, stroke, cv2.LINE_AA
            )


def _lowpass(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """A wide Gaussian, worked out on a small copy: what it leaves has no detail to lose."""
    factor = max(sigma_px / 3.0, 1.0)
    size = (max(round(image.shape[1] / factor), 2), max(round(image.shape[0] / factor), 2))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), min(sigma_px, 3.0), borderType=cv2.BORDER_REPLICATE)
    wide: np.ndarray = cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return wide
