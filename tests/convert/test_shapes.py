import numpy as np
import pytest

from cervseg.convert.rle import decode
from cervseg.convert.shapes import Shape, circle, draw, rectangle
from cervseg.core.errors import DatasetError


def square(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return rectangle(np.array([[left, top], [right, bottom]]))


def test_a_pixel_belongs_to_a_polygon_if_its_centre_does() -> None:
    """From 2 to 5 and from 1 to 4: pixels 2, 3, 4 by 1, 2, 3; half a pixel more changes nothing, 0.6 does."""
    for grow, expected in ((0.0, 9), (0.4, 9), (0.6, 25)):
        shape = Shape(label="a", parts=(square(2 - grow, 1 - grow, 5 + grow, 4 + grow),))
        drawn = draw([shape], (8, 9), {"a": 3})
        assert int((drawn.mask == 3).sum()) == expected
    assert drawn.mask[1, 2] == 3


def test_later_shapes_win_and_background_erases() -> None:
    """Overlaps of different labels are reported, those of one label are not."""
    first = Shape(label="a", parts=(square(0, 0, 4, 4),))
    second = Shape(label="b", parts=(square(2, 2, 6, 6),))
    drawn = draw([first, second], (8, 8), {"a": 1, "b": 2})
    assert (drawn.has_overlap, drawn.mask[3, 3], int((drawn.mask == 1).sum())) == (True, 2, 12)
    assert not draw([first, first], (8, 8), {"a": 1}).has_overlap
    hole = Shape(label="background", parts=(square(1, 1, 3, 3),))
    drawn = draw([first, hole], (8, 8), {"a": 1})
    assert (int(drawn.mask.sum()), drawn.has_overlap) == (12, False)
    assert not draw([second], (8, 8), {"a": 1}).mask.any()


def test_parts_circles_and_what_lies_outside() -> None:
    """Two parts are one area; a circle has its area; a shape beyond the image is cut off and counted."""
    two = Shape(label="a", parts=(square(0, 0, 2, 2), square(5, 5, 7, 7)))
    assert int(draw([two], (8, 8), {"a": 1}).mask.sum()) == 8
    disc = Shape(label="a", parts=(circle(np.array([50.0, 50.0]), np.array([50.0, 80.0])),))
    assert draw([disc], (100, 100), {"a": 1}).mask.sum() == pytest.approx(np.pi * 900, rel=0.005)
    out = draw([Shape(label="a", parts=(square(-5, 6, 4, 20),))], (8, 8), {"a": 1})
    assert (int(out.mask.sum()), out.num_clipped) == (8, 1)


def test_masks_are_placed_and_cut() -> None:
    """A 3 x 3 mask at (-1, 6) shows its right two columns and upper two rows."""
    shape = Shape(label="a", mask=np.arange(9).reshape(3, 3) % 2 == 0, corner=(-1, 6))
    drawn = draw([shape], (8, 8), {"a": 1})
    assert drawn.mask[6:, :2].tolist() == [[0, 1], [1, 0]]
    assert drawn.num_clipped == 1


def test_run_lengths_by_hand() -> None:
    """Plain run lengths go down the columns; the texts are those of COCO's own library for these masks."""
    small = np.array([[0, 1, 0], [1, 1, 0]], bool)
    np.testing.assert_array_equal(decode([1, 3, 2], (2, 3)), small)
    np.testing.assert_array_equal(decode("132", (2, 3)), small)
    dotted = np.zeros((5, 400), bool)
    dotted[2, 100:300:2] = True
    np.testing.assert_array_equal(decode("f?19" + 197 * "0" + "b?", dotted.shape), dotted)
    holed = np.zeros((40, 50), bool)
    holed[3:30, 5:20] = True
    holed[10:12, 8:15] = False
    text = "[6k0=0000\\OE;;EE;;EE;;EE;;EE;;EE;;EE;;900000000]U1"
    np.testing.assert_array_equal(decode(text, holed.shape), holed)
    for wrong in ([1, 3], [1, -1, 6], "13"):
        with pytest.raises(DatasetError, match="do not add up to 3 x 2 pixels"):
            decode(wrong, (2, 3))
