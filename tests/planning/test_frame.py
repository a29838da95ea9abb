from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cervseg.core.errors import PlanError
from cervseg.core.geometry import WHOLE, Box
from cervseg.core.types import Fingerprint, Plan
from cervseg.planning.planner import make_plan
from tests.planning.invented import DESCRIPTION, images, processor

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


def seen_in(extent: Box | None, **shape: Any) -> Fingerprint:
    """A fingerprint of images with one label that lies in a box."""
    fingerprint = images(**shape)
    labels = {name: replace(label, extent=extent) for name, label in fingerprint.labels.items()}
    return replace(fingerprint, labels=labels)


def test_images_are_cropped_to_where_labels_lie(plan: MakePlan) -> None:
    """With a margin of 8 % within the image; the frame has the shape of what is left, at a larger scale."""
    made = plan(seen_in((0.30, 0.05, 0.695, 0.5), height=1000, width=1000))
    assert made.configurations["2d_cnn"].crop == (0.22, 0.0, 0.78, 0.58)
    assert made.configurations["2d_cnn"].input_size == (320, 352)
    reason = made.decisions["2d_cnn.crop"].reason
    assert "between 5 and 50 % of the width and between 30 and 70 % of the height" in reason
    assert "shows 32 % of an image" in reason
    narrow = plan(seen_in((0.1, 0.3, 0.9, 0.6), height=1000, width=1000)).configurations["2d_cnn"]
    assert narrow.input_size[0] > 1.5 * narrow.input_size[1]
    by_user = plan(seen_in((0.3, 0.05, 0.695, 0.5)), overrides={"crop": "0,0,1,1"})
    assert by_user.configurations["2d_cnn"].crop == WHOLE


@pytest.mark.parametrize(
    ("fingerprint", "synthetic", "why"),
    [
        (seen_in((0.1, 0.1, 0.8, 0.8)), False, "labels lie almost everywhere"),
        (seen_in((0.3, 0.3, 0.5, 0.5), num_cases=39), False, "fewer than 40 show where"),
        (seen_in((0.3, 0.3, 0.5, 0.5), aspects=(0.6, 1.5)), False, "their shapes differ"),
        (seen_in((0.3, 0.3, 0.5, 0.5)), True, "framed more freely than synthetic"),
        (seen_in(None), False, "not known where"),
    ],
)
def test_whole_images_and_why(fingerprint: Fingerprint, synthetic: bool, why: str) -> None:
    """Labels all over the image, few or unlike images, synthetic ones, and fingerprints without a box."""
    made = make_plan(
        description=replace(DESCRIPTION, synthetic=synthetic), fingerprint=fingerprint, hardware=processor(2)
    )
    for name, configuration in made.configurations.items():
        assert configuration.crop == WHOLE
        assert why in made.decisions[f"{name}.crop"].reason.lower()
    paper = make_plan(description=DESCRIPTION, fingerprint=fingerprint, hardware=processor(2), preset="paper")
    assert paper.configurations["2d_vit"].crop == WHOLE


@pytest.mark.parametrize("crop", ["0,0,1,1.1", "0.5,0,0.4,1", "0,0.3,1,0.3"])
def test_an_impossible_crop_is_refused(plan: MakePlan, crop: str) -> None:
    """Beyond the image, or empty; the hint shows a good one."""
    with pytest.raises(PlanError, match="crop"):
        plan(overrides={"crop": crop})
