import json
from pathlib import Path

import pytest
import torch
from torch import nn

from cervseg.networks.weights import read_checkpoint
from cervseg.training.data import Batch
from cervseg.training.engine import schedule
from cervseg.training.trainer import Trainer
from tests.training.tiny import SIDE, InterruptedTrainer, blob_batches, hyper, run, state_of, tiny_network


def test_schedule_warms_up_then_falls_to_zero() -> None:
    """Almost nothing at first, all of it after the warm-up, half of it halfway down, nothing at the end."""
    assert schedule(0.0, warmup=0.1) < 0.02
    assert schedule(0.1, warmup=0.1) == pytest.approx(1.0)
    assert schedule(0.55, warmup=0.1) == pytest.approx(0.5)
    assert schedule(1.0, warmup=0.1) == pytest.approx(0.0, abs=1e-12)
    assert schedule(1.7, warmup=0.1) == pytest.approx(0.0, abs=1e-12)


def convolutions() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GELU(), nn.Conv2d(4, 1, 3, padding=1)).double()


class DoubleTrainer(Trainer):
    """Computes in float64, so that only a wrong weight of a batch can make a difference."""

    def logits(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        return network(batch.image_BCHW.double())


@pytest.mark.parametrize(("batch_size", "accumulate"), [(1, 4), (2, 2), (3, 2)])
def test_accumulated_batches_equal_one_large_batch(tmp_path: Path, batch_size: int, accumulate: int) -> None:
    """Steps of several batches, the last of an epoch incomplete, end where steps of one large batch end."""
    ends = []
    for size, count in ((batch_size, accumulate), (batch_size * accumulate, 1)):
        network = convolutions()
        settings = hyper(batch_size=size, accumulate=count, learning_rate=0.5)
        batches = blob_batches(tmp_path / "cache", num=11, batch_size=size)
        run(
            network,
            batches,
            tmp_path / f"{size} {count}",
            hyperparameters=settings,
            trainer=DoubleTrainer(),
            optimizer=torch.optim.SGD(network.parameters(), momentum=0.9),
        )
        ends.append(state_of(network))
    start = state_of(convolutions())
    for name, expected in ends[1].items():
        assert (expected - start[name]).abs().max() > 1e-3, name
        torch.testing.assert_close(ends[0][name], expected, atol=1e-6, rtol=0, msg=name)


def test_stopped_within_a_step_of_several_batches(tmp_path: Path) -> None:
    """The step is finished first; going on from there ends bit-equal to an undisturbed run."""
    settings = hyper(accumulate=3, batch_size=1, epochs=3, ema_decay=0.9)
    batches = blob_batches(tmp_path / "cache", num=7, batch_size=1)
    undisturbed = tiny_network()
    run(undisturbed, batches, tmp_path / "one", hyperparameters=settings)

    stopped, trainer = tiny_network(), InterruptedTrainer(num_batches=8)
    with pytest.raises(KeyboardInterrupt):
        run(stopped, batches, tmp_path / "two", hyperparameters=settings, trainer=trainer)
    progress = read_checkpoint(tmp_path / "two" / "checkpoint_latest.pt")["progress"]
    assert (progress["epoch"], progress["batch"]) == (1, 3)  # not 8: 7 batches, then a whole step of 3

    again = tiny_network(seed=1)
    run(again, batches, tmp_path / "two", hyperparameters=settings)
    for name, expected in undisturbed.state_dict().items():
        assert torch.equal(again.state_dict()[name], expected), name


def test_groups_keep_their_factor_of_the_learning_rate(tmp_path: Path) -> None:
    """At every step each group's rate is the schedule's times its factor."""
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 1, 1))
    groups = [
        {"params": network[0].parameters(), "factor": 0.25},
        {"params": network[1].parameters()},
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    run(
        network,
        blob_batches(tmp_path / "cache", num=4),
        tmp_path,
        hyperparameters=hyper(epochs=1, learning_rate=0.8),
        optimizer=optimizer,
    )
    rate = json.loads((tmp_path / "log.jsonl").read_text())["learning_rate"]
    assert rate > 0
    assert [group["lr"] for group in optimizer.param_groups] == [0.25 * rate, rate]


def test_frozen_norms_keep_their_statistics(tmp_path: Path) -> None:
    """A part in which nothing trains is not changed by training at all; the rest of the network is."""
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1), nn.BatchNorm2d(1))
    network[:2].requires_grad_(False)
    before = state_of(network)
    run(network, blob_batches(tmp_path / "cache", num=4), tmp_path, hyperparameters=hyper(epochs=1))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith(("0.", "1.")), name
    assert network(torch.zeros(1, 1, SIDE, SIDE)).shape == (1, 1, SIDE, SIDE)
