from __future__ import annotations

import numpy as np
import pytest

from cervseg.phantom.anatomy import draw_anatomy
from cervseg.phantom.density import Densities, draw_densities


def test_factors_apply_to_their_group() -> None:
    """Laminae are scaled by the factor of laminae and of the vertebra; other solids stay."""
    anatomy = draw_anatomy(np.random.default_rng(0))
    parts = anatomy.parts()
    densities = Densities(inside={"lamina": 2.0}, shell={"lamina": 3.0}, levels={"C5": 0.5})
    scaled = densities.apply({"C5 lamina": parts["C5 lamina"], "neck": parts["neck"]})
    lamina, neck = scaled[: len(parts["C5 lamina"])], scaled[len(parts["C5 lamina"]) :]
    for before, after in zip(parts["C5 lamina"], lamina):
        assert after.inside_per_mm == pytest.approx(before.inside_per_mm)
        assert after.shell_per_mm == pytest.approx(1.5 * before.shell_per_mm)
    assert [s.inside_per_mm for s in neck] == [s.inside_per_mm for s in parts["neck"]]


def test_groups_vary_independently() -> None:
    """Factors of bodies and processes are positive, spread widely and are only loosely related."""
    parts = draw_anatomy(np.random.default_rng(0)).parts()
    drawn = [draw_densities(np.random.default_rng(i), parts) for i in range(200)]
    body, process = (np.array([d.inside[name] for d in drawn]) for name in ("body", "process"))
    assert body.min() > 0.4
    assert body.std() > 0.2
    assert process.std() > 0.2
    assert abs(np.corrcoef(body, process)[0, 1]) < 0.6
    assert set(drawn[0].levels) == {"C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2"}
