from __future__ import annotations

import numpy as np
import pytest

from cervseg.phantom.anatomy import draw_anatomy
from cervseg.phantom.decoration import CHANCES, Decorate, draw_decorations
from cervseg.phantom.radiograph import attenuation_map
from cervseg.phantom.view import View

VIEW = View(size_px=(300, 260), mm_per_pixel=1.0, centre=(0.5, 0.5), rotation_deg=0, faces_right=False)


@pytest.mark.parametrize("decorate", CHANCES, ids=lambda decorate: decorate.__name__)
def test_every_kind_is_seen(decorate: Decorate) -> None:
    """A kind of object changes the attenuation, and its solids depend on the generator only."""
    anatomy = draw_anatomy(np.random.default_rng(4), posture="neutral")
    one, two = (decorate(anatomy, np.random.default_rng(1)) for _ in range(2))
    drawn = attenuation_map(one, VIEW, rng=np.random.default_rng(0), canvas_px=(300, 300))
    assert drawn.max() > 0.01
    assert [s.outline_mm.tolist() for s in one] == [s.outline_mm.tolist() for s in two]
    assert all(np.isfinite(solid.outline_mm).all() for solid in one)


def test_frequencies() -> None:
    """Most images have an object, some have none; the chances are probabilities."""
    anatomy = draw_anatomy(np.random.default_rng(4))
    counts = [len(draw_decorations(anatomy, np.random.default_rng(i))) for i in range(100)]
    assert 0.05 < np.mean([count == 0 for count in counts]) < 0.4
    assert all(0 < chance < 1 for chance in CHANCES.values())
