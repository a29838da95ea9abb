import pytest
import torch
from torch import nn

from cervseg.training.schedule import schedule, set_learning_rate
from cervseg.training.stopping import Clock
from tests.training.tiny import hyper


def test_schedule_warms_up_then_falls_to_zero() -> None:
    """Almost nothing at first, all of it after the warm-up, half of it halfway down, nothing at the end."""
    assert schedule(0.0, warmup=0.1) < 0.02
    assert schedule(0.1, warmup=0.1) == pytest.approx(1.0)
    assert schedule(0.55, warmup=0.1) == pytest.approx(0.5)
    assert schedule(1.0, warmup=0.1) == pytest.approx(0.0, abs=1e-12)
    assert schedule(1.7, warmup=0.1) == pytest.approx(0.0, abs=1e-12)


def rate_of(*, step_share: float, time_share: float) -> float:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=7.0)
    settings = hyper(learning_rate=2.0, warmup_fraction=0.1)
    rate = set_learning_rate(optimizer, settings, step_share=step_share, time_share=time_share)
    assert optimizer.param_groups[0]["lr"] == rate
    return rate


def test_the_larger_share_sets_the_rate() -> None:
    """An optimizer's own rate, 7, is overwritten; steps and time count alike."""
    assert rate_of(step_share=0.55, time_share=0.0) == pytest.approx(1.0)
    assert rate_of(step_share=0.0, time_share=0.55) == pytest.approx(1.0)
    assert rate_of(step_share=0.2, time_share=1.0) == pytest.approx(0.0, abs=1e-12)


def test_a_resumed_schedule_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 s trained before, a limit of 30 s: the call begins at a quarter of the schedule, ends at its end."""
    now = [100.0]
    monkeypatch.setattr("cervseg.training.stopping.time.monotonic", lambda: now[0])
    clock = Clock(already_s=10.0, limit_s=30.0)
    assert (clock.share, clock.elapsed_s, clock.is_over) == (0.25, 10.0, False)
    now[0] += 30.0
    assert (clock.share, clock.elapsed_s, clock.call_s, clock.is_over) == (1.0, 40.0, 30.0, True)
    endless = Clock(already_s=10.0, limit_s=None)
    assert (endless.share, endless.is_over) == (0.0, False)
