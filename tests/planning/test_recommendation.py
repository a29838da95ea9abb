from __future__ import annotations

from collections.abc import Callable

import pytest

from cervseg.core.registry import TRAINERS, available
from cervseg.core.types import Hardware, Plan
from cervseg.planning.recommendation import recommend
from tests.planning.invented import gpu, images, processor


@pytest.mark.parametrize(
    ("num_cases", "hardware", "preset", "trainer", "reason"),
    [
        (300, processor(2), "default", "LiteUNetTrainer", "300 cases are few"),
        (300, gpu(80), "default", "LiteUNetTrainer", "300 cases are few"),
        (4000, processor(2), "default", "LiteUNetTrainer", "4000 cases on a CPU"),
        (4000, gpu(80), "default", "DynUNetTrainer", "4000 cases and a GPU"),
        (300, processor(2), "paper", "CervSpineNetTrainer", 'preset "paper"'),
    ],
)
def test_recommendations(
    plan: Callable[..., Plan], num_cases: int, hardware: Hardware, preset: str, trainer: str, reason: str
) -> None:
    """Few cases start from pretrained weights on any hardware; every name is that of a trainer."""
    found = recommend(plan(images(num_cases=num_cases), hardware, preset=preset))
    assert found.trainer == trainer
    assert reason in found.reason
    assert found.trainer in available(TRAINERS)
