from pathlib import Path

import pytest
import torch
from torch import nn

from cervseg.networks.checkpoint import Progress
from cervseg.training.checkpoint import restore, save_latest
from cervseg.training.ema import average_of
from tests.training.tiny import hyper, model_of


def network_of(value: float) -> nn.Module:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    with torch.no_grad():
        network[0].weight.fill_(value)
    return network


def test_no_average_without_a_decay() -> None:
    """A decay of 0 keeps no average."""
    assert average_of(network_of(1.0), decay=0.0) is None


def test_average_by_hand() -> None:
    """The first update copies; then 2 / 11 of the average stays, then 3 / 12, at most the decay."""
    network = network_of(1.0)
    average = average_of(network, decay=0.2)
    assert average is not None
    expected = None
    for step, value in enumerate((4.0, 15.0, 3.0, 8.0)):
        with torch.no_grad():
            network[0].weight.fill_(value)  # type: ignore[index]
            network[1].running_mean.fill_(value)  # type: ignore[index, union-attr]
        network[1].num_batches_tracked += 1  # type: ignore[index, operator]
        average.update_parameters(network)
        decay = min(0.2, (1 + step) / (10 + step))
        expected = value if expected is None else decay * expected + (1 - decay) * value
        assert average.module[0].weight.item() == pytest.approx(expected)
        assert float(average.module[1].running_mean) == pytest.approx(expected)
    assert int(average.module[1].num_batches_tracked) == 4
    assert network[0].weight.item() == 8.0  # type: ignore[index]


def test_average_continues_after_an_interruption(tmp_path: Path) -> None:
    """Saved and loaded, it continues bit-equal."""
    model = model_of(hyper())
    network = network_of(1.0)
    average = average_of(network, decay=0.9)
    assert average is not None
    for _ in range(3):
        average.update_parameters(network)
        with torch.no_grad():
            network[0].weight.mul_(1.7)  # type: ignore[index, operator]
    optimizer = torch.optim.AdamW(network.parameters())
    progress = Progress(batch=3)
    save_latest(
        tmp_path / "c.pt", model, network=network, optimizer=optimizer, progress=progress, average=average
    )
    again = network_of(0.0)
    other = average_of(again, decay=0.9)
    assert other is not None
    restore(
        tmp_path / "c.pt",
        model,
        network=again,
        optimizer=torch.optim.AdamW(again.parameters()),
        average=other,
    )
    for one, its in ((network, average), (again, other)):
        its.update_parameters(one)
    assert torch.equal(average.module[0].weight, other.module[0].weight)
    assert int(other.n_averaged) == 4
