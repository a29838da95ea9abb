"""Every trainer that is registered keeps every promise; so will one that is added."""

from __future__ import annotations

import socket

import pytest

from cervseg.core.registry import TRAINERS, available
from cervseg.testing import PROMISES, Trial

NAMES = list(available(TRAINERS))
LEARNING = "learns_two_images"  # takes the longest: once a trainer
QUICK = [(promise, num_labels) for promise in PROMISES if promise != LEARNING for num_labels in (1, 2)]


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may ask a server for weights."""

    def refuse(*_: object) -> None:
        raise OSError("a test asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("promise", "num_labels"), QUICK, ids=[f"{p}-{n}" for p, n in QUICK])
def test_promise(promise: str, num_labels: int, name: str) -> None:
    """The promise in the test's name, with one label and with two."""
    PROMISES[promise](Trial.make(name, num_labels=num_labels))


@pytest.mark.parametrize("name", NAMES)
def test_learns_two_images(name: str) -> None:
    """Trained on two images alone, it learns them by heart."""
    PROMISES[LEARNING](Trial.make(name))
