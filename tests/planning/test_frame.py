from __future__ import annotations

from collections.abc import Callable

import pytest

from cervseg.core.types import Plan
from tests.planning.invented import images

MakePlan = Callable[..., Plan]


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(1600, 1200, (384, 288)), (1200, 1600, (288, 384)), (1000, 1000, (320, 320)), (200, 150, (192, 128))],
)
def test_frame_is_shaped_like_the_images(
    plan: MakePlan, height: int, width: int, expected: tuple[int, int]
) -> None:
    """Portrait, landscape and square images get such frames; small images are never enlarged."""
    assert plan(images(height=height, width=width)).configurations["2d_cnn"].input_size == expected


def test_frame_is_square_where_aspects_vary(plan: MakePlan) -> None:
    """Portrait and landscape images together get a square frame."""
    made = plan(images(height=1600, width=1200, aspects=(0.6, 1.5)))
    assert made.configurations["2d_cnn"].input_size == (320, 320)
    reason = made.decisions["2d_cnn.input_size"].reason
    assert "square, because height/width varies from 0.60 to 1.50" in reason


def test_frame_grows_for_thin_structures(plan: MakePlan) -> None:
    """Thin structures enlarge the frame, within bounds; what stays too thin is said."""
    reason = plan(images(thickness=9)).decisions["2d_cnn.input_size"].reason
    assert "enlarged from 384 x 320" in reason
    assert "target" not in reason
    thinnest = plan(images(thickness=2))
    assert max(thinnest.configurations["2d_cnn"].input_size) <= 512
    assert "(target: 3.5 px)" in thinnest.decisions["2d_cnn.input_size"].reason
