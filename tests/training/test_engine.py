import pytest

from cervseg.training.engine import schedule


def test_schedule_warms_up_then_falls_to_zero() -> None:
    """Almost nothing at first, all of it after the warm-up, half of it halfway down, nothing at the end."""
    assert schedule(0.0, warmup=0.1) < 0.02
    assert schedule(0.1, warmup=0.1) == pytest.approx(1.0)
    assert schedule(0.55, warmup=0.1) == pytest.approx(0.5)
    assert schedule(1.0, warmup=0.1) == pytest.approx(0.0, abs=1e-12)
    assert schedule(1.7, warmup=0.1) == pytest.approx(0.0, abs=1e-12)
