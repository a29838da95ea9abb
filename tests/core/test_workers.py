import logging
import os

import pytest

from cervseg.core.errors import CervsegError, ImageError
from cervseg.core.workers import map_cases


def _square(number: int) -> int:
    if number == 3:
        raise ImageError("is odd", where="image 3", hint="Leave it out.")
    return number**2


def _die(number: int) -> int:
    os._exit(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_one_bad_case_does_not_end_the_rest(workers: int) -> None:
    """Results are in order; the error of a bad case is complete."""
    outcomes = map_cases(_square, range(6), workers=workers, label="test", progress=False)
    assert [outcome.result for outcome in outcomes] == [0, 1, 4, None, 16, 25]
    assert str(outcomes[3].error) == "is odd: image 3\nhint: Leave it out."


def test_a_killed_worker_is_an_error_and_no_hang() -> None:
    """A worker process that dies is reported with a hint."""
    with pytest.raises(CervsegError, match="--workers 1"):
        map_cases(_die, range(4), workers=2, label="test", progress=False)


def test_a_stage_logs_its_time(caplog: pytest.LogCaptureFixture) -> None:
    """The log of --verbose: number of cases, time and failures."""
    with caplog.at_level(logging.INFO, logger="cervseg"):
        map_cases(_square, range(6), workers=1, label="test", progress=False)
    assert caplog.messages[0].startswith("test: 6 cases in 0.")
    assert caplog.messages[0].endswith(" s, 1 worker(s), 1 failed")
