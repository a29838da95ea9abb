from __future__ import annotations

import pytest

from cervseg.losses.recipes import LOSSES
from cervseg.planning import constants
from cervseg.planning.families import (
    FAMILIES,
    Family,
    fit_depth,
    fit_prompts,
    num_halvings,
    whole_halvings_px,
)
from cervseg.planning.rules import DEFAULT_RULES
from tests.planning.invented import images


def halved_by_hand(side: int) -> int:
    """nnU-Net's rule for one axis: pool it while its size is 8 or more."""
    levels, size = 0, float(side)
    while size >= 8:
        size, levels = size / 2, levels + 1
    return levels


def test_the_tables_name_the_same_families() -> None:
    """Every family has sizes, a pixel budget and a published learning rate."""
    names = {"2d_vit", "2d_cnn", "2d_deeplab", "2d_segformer", "2d_nnunet", "2d_lite"}
    for table in (FAMILIES, constants.SIZES, constants.PIXELS_A_CORE, constants.PAPER_LEARNING_RATES):
        assert set(table) == names


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_a_family_is_whole(family: Family) -> None:
    """It has three sizes, known losses, words for its network, and a protocol for every rule but one."""
    assert list(family.sizes) == ["published", "medium", "small"]
    assert {family.loss, family.paper_loss} <= set(LOSSES)
    assert set(family.protocol) == set(DEFAULT_RULES) - {"num_workers"}
    for size in family.sizes.values():
        network = {**size.network, **family.fit((512, 512), images()).value}
        assert "{" not in family.words.format_map(network)


@pytest.mark.parametrize("short", range(32, 1057, 32))
def test_depth_is_nnunets(short: int) -> None:
    """A frame of whole multiples is halved as often as nnU-Net does, to 4 to 7 px."""
    multiple = whole_halvings_px(short)
    frame = (short // multiple * multiple, 2 * multiple * (short // multiple))
    levels = num_halvings(frame)
    assert levels == halved_by_hand(min(frame))
    assert 4 <= min(frame) / 2**levels < 8
    assert max(frame) % 2**levels == 0


@pytest.mark.parametrize(
    ("frame", "levels"), [((512, 512), 7), ((384, 320), 6), ((384, 288), 5), ((64, 32), 3), ((96, 1024), 4)]
)
def test_depth_by_hand(frame: tuple[int, int], levels: int) -> None:
    """512 gives 7 halvings, as in nnU-Net; 288 divides by 32 only; the shorter side decides."""
    assert num_halvings(frame) == levels
    assert fit_depth(frame, images()).value == {"num_levels": levels}


def test_the_reason_of_a_depth() -> None:
    """It says how many px are left."""
    assert fit_depth((384, 320), images()).reason == "halved 6 times, down to 5 px on the shorter side"


def test_prompts_are_the_labels() -> None:
    """Labels become words, parted by semicolons."""
    expected = "spinous process; spinous process on a radiograph"
    assert fit_prompts((512, 512), images()).value == {"prompts": expected}
