import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cervseg.core.errors import CheckpointError
from cervseg.core.types import NetworkSpec
from cervseg.networks.checkpoint import ModelDescription, Progress, load_tensors, read_checkpoint
from cervseg.networks.lora import add_lora
from cervseg.training.checkpoint import restore, save_best, save_latest
from tests.training.tiny import hyper, model_of, tiny_network

MODEL = model_of(hyper(epochs=5, learning_rate=0.1))


def parts(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    network = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return network, optimizer


def saved(path: Path) -> nn.Module:
    network, optimizer = parts(0)
    progress = Progress(epoch=2, batch=1, elapsed_s=3.0, dice=0.5, best_epoch=1, sums={"dice": 0.2})
    save_latest(path, MODEL, network=network, optimizer=optimizer, progress=progress)
    return network


def test_resuming_restores_weights_optimizer_and_progress(tmp_path: Path) -> None:
    """Weights and progress are restored exactly."""
    before = saved(tmp_path / "c.pt")
    network, optimizer = parts(1)
    progress = restore(tmp_path / "c.pt", MODEL, network=network, optimizer=optimizer).progress
    assert torch.equal(network.weight, before.weight)  # type: ignore[arg-type]
    assert progress == Progress(epoch=2, batch=1, elapsed_s=3.0, dice=0.5, best_epoch=1, sums={"dice": 0.2})


def changed(**hyperparameters: Any) -> ModelDescription:
    return model_of(hyper(**{"epochs": 5, "learning_rate": 0.1, **hyperparameters}))


@pytest.mark.parametrize("change", [{"epochs": 50}, {"num_workers": 3}, {"checkpoint_blocks": True}])
def test_what_may_change(tmp_path: Path, change: dict[str, Any]) -> None:
    """More epochs, other threads and activation checkpointing may change on resuming."""
    saved(tmp_path / "c.pt")
    network, optimizer = parts(1)
    restore(tmp_path / "c.pt", changed(**change), network=network, optimizer=optimizer)


@pytest.mark.parametrize(
    ("model", "difference"),
    [
        (
            changed(epochs=50, learning_rate=0.2),
            r"configuration.hyperparameters.learning_rate: 0\.1 before, 0\.2",
        ),
        (changed(accumulate=2), "configuration.hyperparameters.accumulate: 1 before, 2 now"),
        (replace(MODEL, teacher="other (fold_0)"), r"teacher:  before, other \(fold_0\) now"),
        (replace(MODEL, network=NetworkSpec(name="n", arguments={})), "arguments.width: 3 before, None now"),
    ],
)
def test_what_may_not_change(tmp_path: Path, model: ModelDescription, difference: str) -> None:
    """Another setting, teacher or network is an error with both values and a hint; nothing is loaded."""
    saved(tmp_path / "c.pt")
    network, optimizer = parts(1)
    before = network.weight.clone()  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=difference) as caught:
        restore(tmp_path / "c.pt", model, network=network, optimizer=optimizer)
    assert "--restart" in str(caught.value)
    assert torch.equal(network.weight, before)  # type: ignore[arg-type]


def test_a_missing_hyperparameter_counts_as_its_default(tmp_path: Path) -> None:
    """Newer hyperparameters count as their defaults in older checkpoints; another value is an error."""
    saved(tmp_path / "c.pt")
    content = load_tensors(tmp_path / "c.pt")
    del content["model"]["teacher"]
    for name in ("accumulate", "freeze_encoder", "layer_decay"):
        del content["model"]["configuration"]["hyperparameters"][name]
    torch.save(content, tmp_path / "older.pt")
    network, optimizer = parts(1)
    restore(tmp_path / "older.pt", MODEL, network=network, optimizer=optimizer)
    with pytest.raises(CheckpointError, match=r"layer_decay: 1\.0 before, 0\.8 now"):
        restore(tmp_path / "older.pt", changed(layer_decay=0.8), network=network, optimizer=optimizer)


def test_the_best_checkpoint_holds_merged_weights_the_latest_their_updates(tmp_path: Path) -> None:
    """Prediction needs the network only; resuming needs A and B."""
    network = tiny_network()
    add_lora(network.encoder, rank=2)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("lora_b"):
                parameter.fill_(0.1)
    optimizer = torch.optim.AdamW(p for p in network.parameters() if p.requires_grad)
    save_best(tmp_path / "best.pt", MODEL, network=network, epoch=0, dice=None)
    progress = Progress()
    save_latest(tmp_path / "latest.pt", MODEL, network=network, optimizer=optimizer, progress=progress)

    plain, image = tiny_network(seed=1), torch.randn(1, 1, 32, 32)
    plain.load_state_dict(read_checkpoint(tmp_path / "best.pt").state_dict)
    with torch.no_grad():
        torch.testing.assert_close(plain(image), network(image), atol=1e-5, rtol=1e-5)
    again = tiny_network(seed=2)
    add_lora(again.encoder, rank=2)
    restore(tmp_path / "latest.pt", MODEL, network=again, optimizer=optimizer)
    for name, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_a_checkpoint_with_code_is_not_executed(tmp_path: Path) -> None:
    """A pickle that would execute on loading is refused and does not execute."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "executed",))

    (tmp_path / "c.pt").write_bytes(pickle.dumps(Evil()))
    network, optimizer = parts(1)
    with pytest.raises(CheckpointError):
        restore(tmp_path / "c.pt", MODEL, network=network, optimizer=optimizer)
    assert not (tmp_path / "executed").exists()
