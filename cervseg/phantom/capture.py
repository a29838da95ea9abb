"""From a developed image to a file of the wide domain: collimation, text, windows, compression, bit depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

_TEXTS = (
    "L",
    "R",
    "LAT",
    "W:4096 L:2048",
    "NEUTRAL",
    "ERECT 100 cm",
    "C SPINE LAT",
    "12:41",
    "kV 70 mAs 10",
    "Ex: 3",
)


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text burnt into the image.

    Args:
        words: the text.
        at: position (x, y) of its lower left corner, as fractions of width and height.
        size: height of the letters, as a fraction of the image height.
        grey: grey value, 0 to 255.
        outlined: draw a dark outline around the letters.
    """

    words: str
    at: tuple[float, float]
    size: float
    grey: float
    outlined: bool


@dataclass(frozen=True, kw_only=True)
class Capture:
    """Shape of the visible field, additions to the picture, and storage.

    Args:
        field: shape of the collimated field, or "none".
        field_centre: centre (x, y) of the field, as fractions of width and height.
        field_half: half of the field's size (x, y), as fractions of width and height.
        field_angle_deg: rotation of the field.
        field_grey: grey value outside the field.
        field_soft: width of the edge of the field, as a fraction of the image width.
        bars: widths of window bars (left, top, right, bottom), as fractions of the image width.
        bar_grey: grey value of the bars.
        texts: burnt-in texts.
        outlines: grey difference of lines left on vertebral bodies, per body; 0 for none.
        clahe: clip limit of a contrast-limited adaptive histogram equalization, 0 for none.
        grid: contrast of the lines of an anti-scatter grid, in grey values, 0 for none.
        grid_period: distance of the lines, as a fraction of the image height.
        dust: (x, y, length, grey difference) of specks and scratches of a digitized image, x, y and length as
            fractions of the image width.
        vignette: darkening towards the corners, in grey values; negative is brightening.
        inverted: bone is dark.
        gamma: exponent of the grey values.
        zoom: size at which the picture was stored before it was enlarged again, relative to now.
        grey_levels: number of grey levels.
        jpeg_quality: quality of a JPEG step in between, 0 for none.
        bits: bits per pixel of the result: 8, or 10 to 16 (stored as 16).
    """

    field: Literal["none", "rectangle", "octagon", "ellipse"]
    field_centre: tuple[float, float]
    field_half: tuple[float, float]
    field_angle_deg: float
    field_grey: float
    field_soft: float
    bars: tuple[float, float, float, float]
    bar_grey: float
    texts: tuple[Text, ...]
    outlines: tuple[float, ...]
    clahe: float
    grid: float
    grid_period: float
    dust: tuple[tuple[float, float, float, float], ...]
    vignette: float
    inverted: bool
    gamma: float
    zoom: float
    grey_levels: int
    jpeg_quality: int
    bits: int

    def visible(self, size_px: tuple[int, int]) -> np.ndarray:
        """Compute where the patient is seen: H x W uint8 {0, 1}, 0 outside the field and under bars."""
        height, width = size_px
        seen = np.ones(size_px, dtype=np.uint8)
        if self.field != "none":
            seen = np.zeros(size_px, dtype=np.uint8)
            points = _unit_field(self.field) * self.field_half * (width, height)
            angle = np.deg2rad(self.field_angle_deg)
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            points = points @ turn + np.array(self.field_centre) * (width, height)
            cv2.fillPoly(seen, [np.round(points).astype(np.int32)], 1)
        left, top, right, bottom = self._bars_px(width)
        seen[:, :left] = seen[:top] = seen[:, width - right :] = seen[height - bottom :] = 0
        return seen

    def apply(self, grey: np.ndarray, *, bodies_px: list[np.ndarray]) -> np.ndarray:
        """Finish an image.

        Args:
            grey: H x W float32, grey values about 0 to 255, bone bright.
            bodies_px: N x 2 outlines (x, y) of the vertebral bodies in px, for lines left on them.

        Returns:
            H x W uint8, or uint16 for more than 8 bits.
        """
        shown = np.clip(grey, 0, 255).astype(np.float32)
        _draw_outlines(shown, bodies_px, self.outlines)
        shown = self._digitize(shown)
        shown = np.float32(255) * (shown / np.float32(255)) ** np.float32(self.gamma)
        seen = self.visible(grey.shape[:2])
        if self.field != "none":
            soft = max(self.field_soft * grey.shape[1], 0.4)
            share = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), soft)
            shown = shown * share + np.float32(self.field_grey) * (1 - share)
        if self.inverted:
            shown = np.float32(255) - shown
        left, top, right, bottom = self._bars_px(grey.shape[1])
        height, width = shown.shape
        shown[:, :left] = shown[:, width - right :] = shown[:top] = shown[height - bottom :] = self.bar_grey
        for text in self.texts:
            _write(shown, text)
        return self._store(shown)

    def _digitize(self, shown: np.ndarray) -> np.ndarray:
        """Add adaptive contrast, grid lines, vignette and dust: H x W float32 to H x W float32."""
        height, width = shown.shape
        if self.clahe > 0:
            equalize = cv2.createCLAHE(clipLimit=self.clahe, tileGridSize=(8, 8))
            shown = equalize.apply(np.round(shown).astype(np.uint8)).astype(np.float32)
        down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        across = np.linspace(-1, 1, width, dtype=np.float32)[None]
        shown = shown - np.float32(0.5 * self.vignette) * (down**2 + across**2)
        if self.grid > 0:
            shown += np.float32(self.grid) * np.sin(down * np.float32(np.pi / self.grid_period))
        for x, y, length, difference in self.dust:
            speck = np.zeros(shown.shape, dtype=np.uint8)
            start = int(x * width), int(y * height)
            end = int(start[0] + 0.3 * length * width), int(start[1] + length * width)
            cv2.line(speck, start, end, 255, 1, cv2.LINE_AA)
            shown += speck * np.float32(difference / 255)
        digitized: np.ndarray = np.clip(shown, 0, 255)
        return digitized

    def _bars_px(self, width: int) -> tuple[int, ...]:
        return tuple(round(bar * width) for bar in self.bars)

    def _store(self, shown: np.ndarray) -> np.ndarray:
        """Resample, quantize and compress: H x W float32 to uint8 or uint16."""
        height, width = shown.shape
        if self.zoom < 1:
            size = max(round(width * self.zoom), 16), max(round(height * self.zoom), 16)
            small = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
            shown = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        if self.bits > 8:
            top = 2**self.bits - 1
            deep: np.ndarray = np.clip(shown * np.float32(top / 255), 0, top).astype(np.uint16)
            return deep
        step = np.float32(255 / (self.grey_levels - 1))
        stored = np.clip(np.round(np.round(shown / step) * step), 0, 255).astype(np.uint8)
        if self.jpeg_quality > 0:
            _, code = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])
            stored = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
        return stored


def draw_capture(rng: np.random.Generator) -> Capture:
    """Draw random parameters of the wide domain."""
    field = str(rng.choice(["none", "rectangle", "octagon", "ellipse"], p=(0.62, 0.24, 0.07, 0.07)))
    bars = rng.exponential(0.05, 4) * (rng.random(4) < 0.6) * bool(rng.random() < 0.15)
    deep = bool(rng.random() < 0.12)
    half = rng.uniform((0.3, 0.36), (0.5, 0.52))
    traces = rng.random() < 0.12
    signs = float(rng.choice([-1.0, 1.0]))
    return Capture(
        field=field,  # type: ignore[arg-type]
        field_centre=tuple(float(c) for c in rng.uniform(0.44, 0.56, 2)),  # type: ignore[arg-type]
        field_half=(float(half[0]), float(half[1])),
        field_angle_deg=float(rng.choice([0.0, rng.normal(0, 6)])),
        field_grey=float(rng.choice([0.0, rng.uniform(0, 60), rng.uniform(60, 235), 255.0])),
        field_soft=float(rng.choice([0.0, rng.uniform(0.002, 0.02)])),
        bars=tuple(float(min(b, 0.14)) for b in bars),  # type: ignore[arg-type]
        bar_grey=float(rng.choice([0.0, 30.0, 128.0, 240.0, 255.0])),
        texts=tuple(_draw_text(rng) for _ in range(int(rng.choice([0, 1, 2, 4], p=(0.45, 0.3, 0.17, 0.08))))),
        outlines=tuple(float(signs * g) for g in rng.uniform(10, 60, 8) * (rng.random(8) < 0.8) * traces),
        clahe=float(rng.uniform(1.0, 5.0)) if rng.random() < 0.12 else 0.0,
        grid=float(rng.uniform(1, 6)) if rng.random() < 0.05 else 0.0,
        grid_period=float(rng.uniform(0.004, 0.02)),
        dust=tuple(_draw_dust(rng) for _ in range(int(rng.integers(3, 30)) if rng.random() < 0.07 else 0)),
        vignette=float(rng.normal(0, 12)),
        inverted=bool(rng.random() < 0.1),
        gamma=float(np.exp(rng.normal(0, 0.22))),
        zoom=float(rng.choice([1.0, rng.uniform(0.35, 0.95)], p=(0.7, 0.3))),
        grey_levels=int(rng.choice([256, 128, 64], p=(0.85, 0.1, 0.05))),
        jpeg_quality=int(rng.integers(15, 95)) if rng.random() < 0.4 else 0,
        bits=int(rng.choice([10, 12, 14, 16])) if deep else 8,
    )


def _draw_dust(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Draw a speck, or now and then a scratch."""
    length = 0.3 * rng.random() if rng.random() < 0.1 else 0.01 * rng.random()
    return float(rng.random()), float(rng.random()), float(length), float(rng.normal(0, 45))


def _draw_text(rng: np.random.Generator) -> Text:
    """Draw a text near the border of the image."""
    along, near = rng.uniform(0.02, 0.85), rng.uniform(0.02, 0.12)
    x, y = [(along, near + 0.02), (along, 1 - near), (near, along), (0.95 - near, along)][
        int(rng.integers(4))
    ]
    return Text(
        words=str(rng.choice(_TEXTS)),
        at=(float(x), float(y)),
        size=float(np.exp(rng.uniform(np.log(0.01), np.log(0.045)))),
        grey=float(rng.choice([0.0, 180.0, 255.0])),
        outlined=bool(rng.random() < 0.4),
    )


def _write(shown: np.ndarray, text: Text) -> None:
    """Burn a text into H x W float32, in place."""
    height, width = shown.shape
    scale = text.size * height / 22.0
    at = int(text.at[0] * width), int(text.at[1] * height)
    stroke = max(round(1.6 * scale), 1)
    strokes = ((0.0, 3 * stroke), (text.grey, stroke)) if text.outlined else ((text.grey, stroke),)
    for grey, thickness in strokes:
        letters = np.zeros(shown.shape, dtype=np.uint8)
        cv2.putText(letters, text.words, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA)
        shown += letters * np.float32(1 / 255) * (np.float32(grey) - shown)


def _draw_outlines(shown: np.ndarray, bodies_px: list[np.ndarray], differences: tuple[float, ...]) -> None:
    """Draw faint lines on vertebral bodies into H x W float32, in place."""
    for body, difference in zip(bodies_px, differences):
        if difference:
            line = np.zeros(shown.shape, dtype=np.uint8)
            middle = body.mean(axis=0)
            inner = middle + 0.9 * (body - middle)
            cv2.polylines(line, [np.round(inner * 16).astype(np.int32)], True, 255, 1, cv2.LINE_AA, 4)
            shown += line * np.float32(difference / 255)
    np.clip(shown, 0, 255, out=shown)


def _unit_field(shape: str) -> np.ndarray:
    """Return the corners of a field of half size 1: N x 2."""
    if shape == "rectangle":
        return np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    if shape == "octagon":
        cut = 0.55
        corners = [(-1.0, -cut), (-cut, -1.0), (cut, -1.0), (1.0, -cut), (1.0, cut), (cut, 1.0), (-cut, 1.0)]
        return np.array([*corners, (-1.0, cut)])
    around = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    return 1.08 * np.stack([np.cos(around), np.sin(around)], axis=1)
