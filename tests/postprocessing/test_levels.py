"""Parts of a spine and their names: in order, divided where they touch, unnamed without evidence."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cervseg.core.geometry import Placement, as_rows, scale_matrix
from cervseg.postprocessing import levels
from cervseg.postprocessing.levels import Reading, name_levels, union_probability

SIZE = (140, 60)


def read_levels(given: np.ndarray, *, times: int = 1) -> Reading:
    """Read levels for an image whose sides are ``times`` those of the frame."""
    matrix = scale_matrix(1 / times, 1 / times)
    placement = Placement(
        image_size=(times * SIZE[0], times * SIZE[1]), network_size=SIZE, to_network=as_rows(matrix)
    )
    return levels.read_levels(given, placement)


def planes(*boxes: tuple[int, int, dict[int, float]]) -> np.ndarray:
    """Probabilities 7 x 140 x 60 with boxes: (first row, rows, level from 1 -> probability)."""
    made = np.full((7, *SIZE), 0.01, dtype=np.float32)
    for top, rows, likely in boxes:
        for level, probability in likely.items():
            made[level - 1, top : top + rows, 20:40] = probability
    return made


def test_clear_levels_keep_their_names() -> None:
    """Seven boxes of levels 1 to 7: the mask shows them at their pixels, with high confidence."""
    given = planes(*((5 + 18 * k, 10, {k + 1: 0.9}) for k in range(7)))
    reading = read_levels(given)
    expected = np.where(given.max(axis=0) > 0.5, given.argmax(axis=0) + 1, 0)
    np.testing.assert_array_equal(reading.mask, expected)
    assert [part.level for part in reading.parts] == [1, 2, 3, 4, 5, 6, 7]
    assert min(part.confidence for part in reading.parts) > 0.9
    assert reading.parts[2].area_px == 200
    assert reading.parts[2].centroid == pytest.approx((29.5, 45.5))


def test_order_corrects_a_doubtful_level() -> None:
    """Between C4 and C6 is C5, even where the network prefers C6 for it."""
    reading = read_levels(planes((10, 10, {4: 0.9}), (40, 10, {5: 0.45, 6: 0.5}), (70, 10, {6: 0.9})))
    assert [part.level for part in reading.parts] == [4, 5, 6]
    assert set(np.unique(reading.mask)) == {0, 4, 5, 6}


def test_half_a_vote_for_each_level_is_still_the_structure() -> None:
    """A pixel of C5 or C6, each .45, belongs to the structure: the union is .7."""
    given = planes((10, 10, {5: 0.45, 6: 0.45}))
    assert union_probability(given)[15, 30] == pytest.approx(1 - 0.55**2 * 0.99**5, abs=1e-5)
    reading = read_levels(given)
    assert len(reading.parts) == 1
    assert reading.mask[15, 30] > 0


def test_touching_parts_are_divided() -> None:
    """C3 directly above C4 is one component of two parts."""
    reading = read_levels(planes((10, 12, {3: 0.9}), (22, 12, {4: 0.9})))
    assert [part.level for part in reading.parts] == [3, 4]
    assert reading.mask[21, 30] == 3
    assert reading.mask[22, 30] == 4


def test_touching_parts_are_divided_in_an_image_of_another_size() -> None:
    """At three times the frame's size the border between them is straight; the gap is one pixel wide."""
    given = planes((10, 12, {3: 0.9}), (22, 12, {4: 0.9}))
    reading = read_levels(given, times=3)
    assert reading.mask.shape == (420, 180)
    assert (reading.mask[65, 65:115] == 3).all()
    assert (reading.mask[67, 65:115] == 4).all()
    assert [part.level for part in reading.parts] == [3, 4]
    assert reading.parts[0].area_px == pytest.approx(9 * 12 * 20, rel=0.05)
    assert reading.parts[0].centroid == pytest.approx((89, 47), abs=1)
    rows, columns = np.nonzero(reading.gaps)
    assert set(rows) <= {65, 66}
    assert set(range(65, 115)) <= set(columns)
    count, _ = cv2.connectedComponents(((reading.mask > 0) & ~reading.gaps).astype(np.uint8), connectivity=8)
    assert count == 3
    assert not read_levels(planes((10, 10, {3: 0.9}), (40, 10, {4: 0.9})), times=3).gaps.any()


def test_halves_beside_each_other_are_one_part() -> None:
    """C4 in front of C5 in one component is doubt about one process, not two processes."""
    given = planes((10, 10, {4: 0.9}))
    given[:, 10:20, 28:40] = 0.01
    given[4, 10:20, 28:40] = 0.9
    reading = read_levels(given)
    assert len(reading.parts) == 1
    assert len(np.unique(reading.mask)) == 2


def test_a_part_without_evidence_has_no_name() -> None:
    """All levels equally likely: value 8, level None, and the confidence says how unsure it is."""
    reading = read_levels(planes((10, 10, dict.fromkeys(range(1, 8), 0.2))))
    assert reading.parts[0].level is None
    assert reading.parts[0].confidence < 0.5
    assert reading.mask[15, 30] == 8


def test_specks_are_dropped() -> None:
    """A component of less than 15 % of the median part is not a part."""
    given = planes((10, 10, {3: 0.9}), (40, 10, {4: 0.9}), (70, 10, {5: 0.9}))
    given[5, 100:103, 30:33] = 0.9
    reading = read_levels(given)
    assert len(reading.parts) == 3
    assert not reading.mask[100:103].any()


def test_noise_of_hundreds_of_parts_is_survived() -> None:
    """The hundred largest of 480 components are kept: two rows of larger ones among them."""
    given = np.full((7, *SIZE), 0.01, dtype=np.float32)
    given[2, 1::4, 1::4] = 0.9
    given[2, 1:8:4, 2::4] = 0.9
    reading = read_levels(given)
    assert len(reading.parts) == 100
    assert reading.parts[0].area_px == 2
    assert all(0 < part.confidence <= 1 for part in reading.parts)


def test_an_empty_image_has_no_parts() -> None:
    """Nothing above the threshold: an empty mask."""
    reading = read_levels(planes())
    assert not reading.mask.any()
    assert reading.parts == ()


def test_names_increase() -> None:
    """Whatever the votes are, names increase from top to bottom, also with more parts than levels."""
    rng = np.random.default_rng(0)
    for num_parts in (1, 5, 7, 9):
        named = name_levels(rng.random((num_parts, 7)) ** 6)
        given = [level for level, _ in named if level is not None]
        assert given == sorted(set(given))
        assert all(0 < confidence <= 1 for _, confidence in named)


def test_a_part_too_many_is_no_level() -> None:
    """Between a clear C3 and a clear C4 is nothing: the part there has no name, and theirs stay."""
    votes = np.full((3, 7), 0.1)
    votes[0, 2] = votes[2, 3] = 9.0
    assert [level for level, _ in name_levels(votes)] == [3, None, 4]


def test_probabilities_count_all_ways() -> None:
    """Two parts and two levels, by hand: both named, one of them named (twice two ways), none named."""
    evidence = np.array([[0.7, 0.3], [0.4, 0.6]]) + levels._FLOOR
    none = levels._NO_LEVEL
    both = evidence[0, 0] * evidence[1, 1]
    total = both + none * evidence.sum() + none**2
    (first, first_p), (second, second_p) = name_levels(np.array([[0.7, 0.3], [0.4, 0.6]]))
    assert (first, second) == (1, 2)
    assert first_p == pytest.approx((both + none * evidence[0, 0]) / total)
    assert second_p == pytest.approx((both + none * evidence[1, 1]) / total)
