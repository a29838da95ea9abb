from __future__ import annotations

import numpy as np
import pytest

from cervseg.phantom.anatomy import BODY_LEVELS, Anatomy, draw_anatomy


def _neutral(count: int) -> list[Anatomy]:
    return [
        draw_anatomy(
            np.random.default_rng([5, i]), posture="neutral", hardware=False, fracture=False, overlap=False
        )
        for i in range(count)
    ]


def _canal_to_tip_mm(anatomy: Anatomy, level: str) -> float:
    vertebra = anatomy[level]
    canal_side = vertebra.pose.apply(np.array([vertebra.spinolaminar_local_mm]))[0]
    return float(np.linalg.norm(np.array(vertebra.tip_mm()) - canal_side))


@pytest.mark.parametrize(("level", "expected_mm"), [("C3", 16.0), ("C5", 16.5), ("C6", 21.6), ("C7", 28.6)])
def test_mean_process_lengths(level: str, expected_mm: float) -> None:
    """Mean lengths from canal to tip equal published means."""
    actual_mm = np.mean([_canal_to_tip_mm(anatomy, level) for anatomy in _neutral(60)])
    assert actual_mm == pytest.approx(expected_mm, rel=0.05)


@pytest.mark.parametrize(
    ("above", "below", "expected_mm"),
    [("C3", "C4", 13.0), ("C4", "C5", 13.5), ("C5", "C6", 15.0), ("C6", "C7", 18.0)],
)
def test_mean_distances_between_tips(above: str, below: str, expected_mm: float) -> None:
    """Mean distances between neighbouring tips in neutral posture equal published means."""
    tips = [(np.array(a[above].tip_mm()), np.array(a[below].tip_mm())) for a in _neutral(60)]
    assert np.mean([np.linalg.norm(q - p) for p, q in tips]) == pytest.approx(expected_mm, rel=0.06)


def test_posture_spreads_and_closes_the_tips() -> None:
    """Flexion increases the distance of the tips, extension decreases it; the order of the bodies stays."""
    spans = {}
    for posture in ("extension", "neutral", "flexion"):
        anatomy = draw_anatomy(np.random.default_rng(3), posture=posture, fracture=False, overlap=False)
        spans[posture] = np.linalg.norm(np.array(anatomy["C3"].tip_mm()) - np.array(anatomy["C7"].tip_mm()))
        heights = [anatomy[level].pose.y_mm for level in BODY_LEVELS]
        assert heights == sorted(heights)
    assert spans["extension"] < spans["neutral"] < spans["flexion"]


def test_men_are_larger_and_age_thins_bone() -> None:
    """Bodies of men are wider; bone density decreases with age."""
    drawn = [draw_anatomy(np.random.default_rng([7, i])) for i in range(120)]
    width_mm = {
        sex: np.mean([a["C5"].body_width_mm for a in drawn if a.sex == sex]) for sex in ("female", "male")
    }
    assert width_mm["male"] > 1.05 * width_mm["female"]
    old, young = [a for a in drawn if a.age_years > 60], [a for a in drawn if a.age_years < 40]
    assert np.mean([a["C5"].density for a in old]) < np.mean([a["C5"].density for a in young])


def test_bodies_have_published_sizes() -> None:
    """Bodies of C3 to C7 are 14 to 21 mm wide and 11 to 18 mm high."""
    for anatomy in _neutral(30):
        for level in BODY_LEVELS[1:]:
            assert 14 < anatomy[level].body_width_mm < 21
            assert 11 < anatomy[level].body_height_mm < 18


def test_a_fracture_makes_two_pieces() -> None:
    """One level is fractured; both pieces together have the area of the intact process."""
    anatomy = draw_anatomy(np.random.default_rng(1), fracture=True)
    broken = [v for v in anatomy.vertebrae if v.fracture_mm]
    assert [v.level in ("C6", "C7") for v in broken] == [True]
    pieces = broken[0].process_outlines_mm()
    assert len(pieces) == 2
    assert sum(map(_area, pieces)) == pytest.approx(_area(broken[0].process_outline_local_mm()), rel=1e-9)


def _area(outline: np.ndarray) -> float:
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
