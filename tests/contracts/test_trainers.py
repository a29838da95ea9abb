"""Every registered trainer keeps every promise of the contract."""

from __future__ import annotations

import socket

import pytest

from cervseg.core.registry import TRAINERS, available
from cervseg.testing import PROMISES, Trial

NAMES = list(available(TRAINERS))
LEARNING = "learns_two_images"  # takes longest: once per trainer
# Of the trainers that differ in the loss alone, the one with all of its terms is enough.
LEARNERS = [name for name in NAMES if not name.startswith("CervSpineNetDice")]
# Larger steps and smaller decoders, with which these learn two images sooner.
FASTER = {
    "DeepLabV3PlusTrainer": {"learning_rate": "0.001", "decoder_channels": "64"},
    "TextSegFormerTrainer": {"learning_rate": "0.001", "decoder_channels": "64"},
}
QUICK = [(promise, num_labels) for promise in PROMISES if promise != LEARNING for num_labels in (1, 2)]


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection to a server."""

    def refuse(*_: object) -> None:
        raise OSError("a test asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("promise", "num_labels"), QUICK, ids=[f"{p}-{n}" for p, n in QUICK])
def test_promise(promise: str, num_labels: int, name: str) -> None:
    """The promise in the test's name, with one label and with two."""
    PROMISES[promise](Trial.make(name, num_labels=num_labels))


@pytest.mark.parametrize("name", LEARNERS)
def test_learns_two_images(name: str) -> None:
    """Trained on two images only, it overfits them."""
    PROMISES[LEARNING](Trial.make(name, settings=FASTER.get(name)))
