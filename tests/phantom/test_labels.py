from __future__ import annotations

import numpy as np
import pytest

from cervseg.phantom.anatomy import LEVELS
from cervseg.phantom.labels import label_mask, label_values
from cervseg.phantom.radiograph import PhantomImage, make_phantom


@pytest.fixture(scope="module")
def image() -> PhantomImage:
    return make_phantom(seed=1, index=1, long_side_px=320, with_anatomy=True)


def test_names_and_values() -> None:
    """Levels are 1 to 7 in both larger sets; the bones around them follow."""
    assert label_values("process") == {"background": 0, "spinous_process": 1}
    assert label_values("levels") == {"background": 0, **{f"C{n}": n for n in range(1, 8)}}
    more = ("thoracic", "vertebral_body", "arch", "skull", "jaw")
    assert label_values("anatomy") == label_values("levels") | dict(zip(more, range(8, 13)))


def test_processes_win(image: PhantomImage) -> None:
    """In all sets the pixels of processes are those of the mask; where levels overlap, the upper one wins."""
    np.testing.assert_array_equal(label_mask(image, "process"), image.mask)
    levels, anatomy = label_mask(image, "levels"), label_mask(image, "anatomy")
    np.testing.assert_array_equal(levels > 0, image.mask > 0)
    np.testing.assert_array_equal(np.where(anatomy <= 7, anatomy, 0), levels)
    for value, level in enumerate(LEVELS, start=1):
        above = np.maximum.reduce([np.zeros_like(levels), *list(image.level_masks.values())[: value - 1]])
        np.testing.assert_array_equal(levels == value, (image.level_masks[level] > 0) & (above == 0))


def test_bones_are_where_they_belong(image: PhantomImage) -> None:
    """Centres of C3 to C7 are in a body; the skull is above, thoracic processes below, the jaw in front."""
    anatomy, values = label_mask(image, "anatomy"), label_values("anatomy")
    for level in LEVELS[2:]:
        corners = [
            point for name, point in image.landmarks.items() if name.startswith((f"{level} t", f"{level} b"))
        ]
        x, y = np.round(np.mean(corners, axis=0)).astype(int)
        assert anatomy[y, x] == values["vertebral_body"]
    middle = {name: np.argwhere(anatomy == value).mean(axis=0) for name, value in values.items()}
    assert middle["skull"][0] < middle["C1"][0] < middle["C7"][0] < middle["thoracic"][0]
    assert image.attributes["facing"] == "left"
    assert middle["jaw"][1] < middle["vertebral_body"][1] < middle["arch"][1] < middle["C5"][1]


def test_anatomy_is_made_only_if_asked_for() -> None:
    """Without with_anatomy there are no masks of other bones; pixels and processes are equal."""
    plain, full = (make_phantom(seed=2, index=0, long_side_px=160, with_anatomy=w) for w in (False, True))
    assert plain.anatomy_masks == {}
    np.testing.assert_array_equal(plain.pixels, full.pixels)
    np.testing.assert_array_equal(plain.mask, full.mask)
