from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cervseg.phantom.capture import Capture, Text, draw_capture

PLAIN = Capture(
    field="none",
    field_centre=(0.5, 0.5),
    field_half=(0.4, 0.4),
    field_angle_deg=0.0,
    field_grey=0.0,
    field_soft=0.0,
    bars=(0.0, 0.0, 0.0, 0.0),
    bar_grey=0.0,
    texts=(),
    outlines=(),
    clahe=0.0,
    grid=0.0,
    grid_period=0.01,
    dust=(),
    vignette=0.0,
    inverted=False,
    gamma=1.0,
    zoom=1.0,
    grey_levels=256,
    jpeg_quality=0,
    bits=8,
)
BODY = [np.array([(20.0, 20.0), (60.0, 20.0), (60.0, 50.0), (20.0, 50.0)])]


def _grey() -> np.ndarray:
    return np.random.default_rng(0).integers(10, 240, (100, 80)).astype(np.float32)


def test_a_plain_capture_stores_what_it_gets() -> None:
    """Without any change, grey values are stored as they are, and everything is visible."""
    np.testing.assert_array_equal(PLAIN.apply(_grey(), bodies_px=BODY), _grey().astype(np.uint8))
    assert PLAIN.visible((100, 80)).all()


@pytest.mark.parametrize(
    "change",
    [
        {"texts": (Text(words="L", at=(0.2, 0.5), size=0.2, grey=255.0, outlined=True),)},
        {"outlines": (40.0,)},
        {"clahe": 3.0},
        {"grid": 8.0},
        {"dust": ((0.5, 0.5, 0.1, 80.0),)},
        {"vignette": 30.0},
        {"inverted": True},
        {"gamma": 1.3},
        {"zoom": 0.5},
        {"grey_levels": 16},
        {"jpeg_quality": 30},
        {"bits": 12},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_change_is_seen_and_hides_nothing(change: dict[str, object]) -> None:
    """Every change changes pixels, and leaves all of them visible."""
    capture = dataclasses.replace(PLAIN, **change)  # type: ignore[arg-type]
    assert not np.array_equal(capture.apply(_grey(), bodies_px=BODY), PLAIN.apply(_grey(), bodies_px=BODY))
    assert capture.visible((100, 80)).all()


@pytest.mark.parametrize("field", ["rectangle", "octagon", "ellipse"])
def test_fields_have_their_area_and_grey(field: str) -> None:
    """The visible share is that of the shape; outside, the picture has the grey of the surround."""
    capture = dataclasses.replace(PLAIN, field=field, field_grey=7.0)
    share = {"rectangle": 1.0, "octagon": 1 - 0.5 * 0.45**2, "ellipse": np.pi / 4 * 1.08**2}[field]
    seen = capture.visible((500, 400))
    assert seen.mean() == pytest.approx(0.64 * share, abs=0.01)
    shown = capture.apply(np.full((500, 400), 200, np.float32), bodies_px=[])
    assert (shown[0, 0], shown[250, 200]) == (7, 200)


def test_inversion_bars_and_bits() -> None:
    """Inverted grey values are 255 minus the value; bars have their grey and hide; 12 bits use 0 to 4095."""
    flat = np.full((100, 80), 200, np.float32)
    assert dataclasses.replace(PLAIN, inverted=True).apply(flat, bodies_px=[])[50, 40] == 55
    barred = dataclasses.replace(PLAIN, bars=(0.1, 0.0, 0.0, 0.05), bar_grey=30.0)
    assert (barred.apply(flat, bodies_px=[])[:, :8] == 30).all()
    assert barred.visible((100, 80)).sum() == 72 * 96
    deep = dataclasses.replace(PLAIN, bits=12).apply(flat, bodies_px=[])
    assert deep.dtype == np.uint16
    assert deep[50, 40] == int(200 * 4095 / 255)


def test_drawn_frequencies() -> None:
    """A tenth is inverted, a tenth has more than 8 bits, a third is collimated."""
    drawn = [draw_capture(np.random.default_rng(i)) for i in range(500)]
    assert 0.06 < np.mean([c.inverted for c in drawn]) < 0.14
    assert 0.08 < np.mean([c.bits > 8 for c in drawn]) < 0.16
    assert 0.3 < np.mean([c.field != "none" for c in drawn]) < 0.46
    assert any(c.bars != (0.0, 0.0, 0.0, 0.0) for c in drawn)
    assert any(any(c.outlines) for c in drawn)
