import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cervseg.core.types import NetworkSpec
from cervseg.networks.base import build_network
from cervseg.networks.checkpoint import read_checkpoint
from cervseg.training.data import Batch
from cervseg.training.trainer import Trainer
from tests.training.tiny import SIDE, InterruptedTrainer, blob_batches, hyper, run, state_of, tiny_network


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
    state = read_checkpoint(tmp_path / "two" / "checkpoint_latest.pt").training
    assert state is not None
    assert (state.progress.epoch, state.progress.batch) == (1, 3)  # not 8: 7 batches, then a whole step of 3

    again = tiny_network(seed=1)
    run(again, batches, tmp_path / "two", hyperparameters=settings)
    for name, expected in undisturbed.state_dict().items():
        assert torch.equal(again.state_dict()[name], expected), name


DEEPLAB = {"encoder": "resnet18", "decoder_channels": 16}
SEGFORMER = {"encoder": "mit_b0", "decoder_channels": 16, "text_dim": 4}


@pytest.mark.parametrize(("name", "sizes"), [("deeplabv3plus", DEEPLAB), ("text_segformer", SEGFORMER)])
def test_resumed_random_layers_end_equal(tmp_path: Path, name: str, sizes: dict[str, object]) -> None:
    """Dropout and DropPath: an interrupted run ends bit-equal to an undisturbed one."""
    shape = {"in_channels": 1, "num_labels": 1, "input_size": (64, 64)}
    spec = NetworkSpec(name=name, arguments={**shape, **sizes})
    batches = blob_batches(tmp_path / "cache", num=6, side=64)
    settings = hyper(epochs=2, learning_rate=1e-3)

    def trained(folder: str, *, seed: int = 0, **options: Any) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        network = build_network(spec)
        run(network, batches, tmp_path / folder, hyperparameters=replace(settings, seed=seed), **options)
        return network.state_dict()

    undisturbed = trained("one")
    with pytest.raises(KeyboardInterrupt):
        trained("two", trainer=InterruptedTrainer(num_batches=4))
    torch.manual_seed(99)  # a new process has another random state
    again, other = trained("two"), trained("other", seed=1)
    for key, expected in undisturbed.items():
        assert torch.equal(again[key], expected), key
    assert any(not torch.equal(other[key], expected) for key, expected in undisturbed.items())


def test_a_limit_counts_for_its_own_call(tmp_path: Path) -> None:
    """Time of an interrupted call is not counted: the next call with a limit trains; elapsed time adds up."""
    batches, settings = blob_batches(tmp_path / "cache", num=4), hyper(epochs=1000)
    with pytest.raises(KeyboardInterrupt):
        run(
            tiny_network(),
            batches,
            tmp_path,
            hyperparameters=settings,
            trainer=InterruptedTrainer(num_batches=40, pause_s=0.02),
        )
    before = read_checkpoint(tmp_path / "checkpoint_latest.pt").training
    assert before is not None
    assert before.progress.elapsed_s > 0.8
    result = run(tiny_network(), batches, tmp_path, hyperparameters=settings, max_time_s=0.5)
    assert result.stopped_by_time
    assert result.epochs > before.progress.epoch
    assert result.elapsed_s > before.progress.elapsed_s + 0.5
    assert result.max_epochs == 1000


@pytest.mark.parametrize("has_validation", [True, False])
def test_a_fold_without_time_has_a_validated_checkpoint(tmp_path: Path, has_validation: bool) -> None:
    """Interrupted in its first epoch, then no time: one step is trained, the best checkpoint exists."""
    batches, settings = blob_batches(tmp_path / "cache", num=6), hyper(epochs=5)
    validation = replace(batches, ranges=None) if has_validation else None
    with pytest.raises(KeyboardInterrupt):
        run(
            tiny_network(),
            batches,
            tmp_path,
            hyperparameters=settings,
            trainer=InterruptedTrainer(num_batches=1),
            validation=validation,
        )
    assert not (tmp_path / "checkpoint_best.pt").exists()
    options = {"hyperparameters": settings, "validation": validation, "max_time_s": 1e-9}
    result = run(tiny_network(), batches, tmp_path, **options)
    assert (result.epochs, result.best_epoch, result.stopped_by_time) == (1, 0, True)
    assert (result.best_dice is not None) == has_validation
    assert read_checkpoint(tmp_path / "checkpoint_best.pt").dice == result.best_dice
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0]


def test_a_deleted_best_checkpoint_is_written_again(tmp_path: Path) -> None:
    """A call that has nothing left to train still ends with a checkpoint for prediction."""
    batches, settings = blob_batches(tmp_path / "cache", num=4), hyper(epochs=1)
    run(tiny_network(), batches, tmp_path, hyperparameters=settings)
    (tmp_path / "checkpoint_best.pt").unlink()
    result = run(tiny_network(), batches, tmp_path, hyperparameters=settings)
    assert (result.epochs, result.stopped_by_time) == (1, False)
    states = [read_checkpoint(tmp_path / f"checkpoint_{kind}.pt").state_dict for kind in ("best", "latest")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])


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
