from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from cervseg.phantom.process import ProcessShape, draw_process_shape, sloped

SHAPE = ProcessShape(
    waist=1.0,
    waist_at=0.5,
    sag=0.0,
    blunt=0.2,
    lip_mm=0.0,
    rough=(0.0,) * 10,
    depth_mm=8.0,
    edge_mm=3.0,
    shell_mm=0.5,
    twin_size=0.9,
    twin_shift_mm=(0.0, 0.0),
    core=0.0,
)


def _area(outline: np.ndarray) -> float:
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def test_a_plain_shape_is_nearly_a_rectangle() -> None:
    """Equal heights at base, waist and tip: length times height; row 0 is the tip."""
    outline = SHAPE.outline_mm(length_mm=20.0, base_mm=10.0, tip_mm=10.0)
    np.testing.assert_allclose(outline[0], (20.0, 0.0))
    assert _area(outline) == pytest.approx(200.0, rel=0.03)


def test_sag_lowers_the_tip() -> None:
    """The tip hangs below the axis by the given fraction of the length."""
    outline = dataclasses.replace(SHAPE, sag=0.1).outline_mm(length_mm=20.0, base_mm=10.0, tip_mm=5.0)
    np.testing.assert_allclose(outline[0], (20.0, 2.0))


@pytest.mark.parametrize("level", ["C2", "C5", "C7"])
def test_drawn_outlines_have_no_loops(level: str) -> None:
    """The outline of every drawn shape encloses one piece, at least half as large as its box allows."""
    for seed in range(60):
        shape = draw_process_shape(np.random.default_rng(seed), level)
        outline = shape.outline_mm(length_mm=17.0, base_mm=11.0, tip_mm=7.0)
        filled = np.zeros((400, 400), np.uint8)
        cv2.fillPoly(filled, [np.round(outline * 10 + (100, 200)).astype(np.int32)], 1)
        assert filled.sum() / 100 == pytest.approx(_area(outline), rel=0.04), seed
        assert cv2.connectedComponents(filled)[0] == 2


def test_the_lip_touches_the_process() -> None:
    """A second tip overlaps the end of the process and reaches below it."""
    shape = dataclasses.replace(SHAPE, lip_mm=3.0)
    outline = shape.outline_mm(length_mm=17.0, base_mm=11.0, tip_mm=7.0)
    lip = shape.lip_outline_mm(length_mm=17.0, tip_mm=7.0)
    inside = [cv2.pointPolygonTest(outline.astype(np.float32), (float(x), float(y)), False) for x, y in lip]
    assert max(inside) > 0
    assert lip[:, 1].max() > outline[:, 1].max()


def test_a_slope_turns_the_axis() -> None:
    """A point on the axis is rotated about the origin, and keeps its distance."""
    point = sloped(np.array([[20.0, 0.0]]), slope_deg=30.0, length_mm=20.0)
    np.testing.assert_allclose(point, [[20 * np.cos(np.pi / 6), 10.0]])
