"""A plan for an invented dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cervseg.core.types import Fingerprint, Hardware, Plan
from cervseg.planning import constants
from cervseg.planning.planner import make_plan
from tests.planning.invented import DESCRIPTION, images, processor


@pytest.fixture(autouse=True)
def pinned_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests are about the rules: tuning a budget in ``constants`` shall not break them."""
    monkeypatch.setattr(constants, "PIXELS_A_CORE", dict.fromkeys(constants.SIZES, 56_000))
    monkeypatch.setattr(constants, "FOLD_TIME_S", 1800.0)


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """make_plan with an invented dataset; 2 cores unless told otherwise."""

    def make(
        fingerprint: Fingerprint | None = None, hardware: Hardware | None = None, **options: Any
    ) -> Plan:
        return make_plan(
            description=DESCRIPTION,
            fingerprint=fingerprint or images(),
            hardware=hardware or processor(2),
            **options,
        )

    return make
