"""From attenuation to a grey image: primary beam, scatter, noise, detector blur, logarithm, display curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """Parameters of acquisition and display.

    Args:
        photons: photons per detector pixel in the open beam.
        scatter: scattered intensity as a fraction of the low-pass of the primary intensity.
        blur_mm: standard deviation of the detector's point spread function.
        tilt: change of the logarithm of the beam across the image along x and y (heel effect).
        contrast: slope of the display curve; 1.45 is usual.
        level: shift of the display curve in attenuation; positive is darker.
        equalize: fraction of the low frequencies removed before display, in [0, 1].
        sharpen: weight of the unsharp mask.
        black: lower limit of the display curve (no attenuation), in grey values of 0 to 255.
        white: upper limit of the display curve (full attenuation), in grey values.
        border: colour of the border, or "none".
        border_shares: widths of the border (left, top, right, bottom), as fractions of the image width.
        marker: lead letter of the side marker; "" for none.
        marker_at: position (x, y) of the marker, as fractions of width and height.
        caption: add a window caption in the last rows.
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
    """Draw random parameters of acquisition and display."""
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
    """Simulate the logarithmic detector signal.

    Args:
        attenuation: H x W float32, line integral of the attenuation coefficient, no unit, at least 0.
        exposure: parameters of the acquisition.
        mm_per_pixel: pixel size in mm.
        rng: random generator of the photon noise.

    Returns:
        H x W float32, the attenuation with scatter, noise and blur.
    """
    intensity = cv2.exp(-attenuation)
    intensity = intensity + np.float32(exposure.scatter) * _lowpass(intensity, 16.0 / mm_per_pixel)
    # The detector has a constant offset, so the logarithm stays finite behind the shoulders.
    intensity += np.float32(0.004)
    if exposure.blur_mm / mm_per_pixel > 0.3:
        intensity = cv2.GaussianBlur(intensity, (0, 0), exposure.blur_mm / mm_per_pixel)
    # Poisson noise of many photons: normal, with a variance proportional to the intensity.
    quanta = np.float32(exposure.photons * (mm_per_pixel / 0.2) ** 1.2)
    grain = rng.standard_normal(intensity.shape, dtype=np.float32)
    if mm_per_pixel < 0.3:
        grain = cv2.GaussianBlur(grain, (3, 3), 0.55) * np.float32(1.65)
    intensity += cv2.sqrt(intensity * (1.0 / quanta)) * grain
    return -cv2.log(np.maximum(intensity, np.float32(1e-3)))


def display(signal: np.ndarray, exposure: Exposure, *, mm_per_pixel: float) -> np.ndarray:
    """Map the logarithmic signal to H x W uint8 grey values, see :func:`develop`."""
    shown: np.ndarray = np.clip(develop(signal, exposure, mm_per_pixel=mm_per_pixel), 0, 255).astype(np.uint8)
    return shown


def develop(signal: np.ndarray, exposure: Exposure, *, mm_per_pixel: float) -> np.ndarray:
    """Map the logarithmic signal to grey values with a sigmoid display curve; bone is bright.

    Args:
        signal: H x W float32, from :func:`expose`.
        exposure: parameters of the display.
        mm_per_pixel: pixel size in mm.

    Returns:
        H x W float32, from ``exposure.black`` to ``exposure.white``.
    """
    height, width = signal.shape
    slow = _lowpass(signal, 22.0 / mm_per_pixel)
    # Automatic exposure uses the mean signal in the middle of the field.
    middle = slow[int(0.25 * height) : int(0.6 * height), int(0.2 * width) : int(0.75 * width)]
    reference = float(np.mean(middle))
    flat = signal - np.float32(exposure.equalize) * (slow - np.float32(reference))
    flat += np.float32(exposure.sharpen) * (signal - _lowpass(signal, 1.2 / mm_per_pixel))
    rows = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * np.float32(exposure.tilt[1])
    columns = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None] * np.float32(exposure.tilt[0])
    steepness = np.float32(exposure.contrast)
    curve = cv2.exp((flat + (rows + columns) - np.float32(reference + 0.18 + exposure.level)) * -steepness)
    grey: np.ndarray = np.float32(exposure.black) + np.float32(exposure.white - exposure.black) / (
        1.0 + curve
    )
    return grey


def add_marker(attenuation: np.ndarray, exposure: Exposure, *, mm_per_pixel: float) -> None:
    """Add the side marker, an outlined lead letter.

    Args:
        attenuation: H x W float32, changed in place.
        exposure: marker and its position.
        mm_per_pixel: pixel size in mm.
    """
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
    """Draw the border and the caption.

    Args:
        pixels: H x W uint8, changed in place.
        exposure: border and caption.
    """
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
    """Apply a wide Gaussian filter on a downsampled copy, with sigma in px of the image."""
    factor = max(sigma_px / 3.0, 1.0)
    size = (max(round(image.shape[1] / factor), 2), max(round(image.shape[0] / factor), 2))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), min(sigma_px, 3.0), borderType=cv2.BORDER_REPLICATE)
    wide: np.ndarray = cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return wide
