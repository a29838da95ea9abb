import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cervseg.core.errors import CheckpointError
from cervseg.networks.weights import FORMAT
from cervseg.training.checkpoint import resume, save_latest

MODEL: dict[str, Any] = {
    "format": FORMAT,
    "network": {"name": "n", "arguments": {"width": 3}},
    "configuration": {"input_size": [8, 8], "hyperparameters": {"epochs": 5, "learning_rate": 0.1}},
    "variant": "original",
}


def parts(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    network = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return network, optimizer


def saved(path: Path) -> nn.Module:
    network, optimizer = parts(0)
    progress = {"epoch": 2, "batch": 1, "elapsed_s": 3.0, "dice": 0.5, "best_epoch": 1, "sums": {"dice": 0.2}}
    save_latest(path, MODEL, network=network, optimizer=optimizer, progress=progress)
    return network


def test_going_on_restores_weights_optimizer_and_progress(tmp_path: Path) -> None:
    """Everything that the loop needs comes back bit-equal."""
    before = saved(tmp_path / "c.pt")
    network, optimizer = parts(1)
    progress = resume(tmp_path / "c.pt", MODEL, network=network, optimizer=optimizer)
    assert torch.equal(network.weight, before.weight)  # type: ignore[arg-type]
    assert progress["batch"] == 1
    assert progress["sums"] == {"dice": 0.2}


def test_more_epochs_may_go_on_other_settings_may_not(tmp_path: Path) -> None:
    """A longer run continues; another learning rate is refused with both values and a mend."""
    saved(tmp_path / "c.pt")
    network, optimizer = parts(1)
    longer = {**MODEL, "configuration": {**MODEL["configuration"]}}
    longer["configuration"]["hyperparameters"] = {"epochs": 50, "learning_rate": 0.1}
    resume(tmp_path / "c.pt", longer, network=network, optimizer=optimizer)
    longer["configuration"]["hyperparameters"] = {"epochs": 50, "learning_rate": 0.2}
    with pytest.raises(CheckpointError, match=r"0\.1 before, 0\.2 now") as caught:
        resume(tmp_path / "c.pt", longer, network=network, optimizer=optimizer)
    assert "--restart" in str(caught.value)


def test_a_checkpoint_that_holds_code_is_not_run(tmp_path: Path) -> None:
    """A pickle that would execute on loading is refused and does not execute."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "executed",))

    (tmp_path / "c.pt").write_bytes(pickle.dumps(Evil()))
    network, optimizer = parts(1)
    with pytest.raises(CheckpointError):
        resume(tmp_path / "c.pt", MODEL, network=network, optimizer=optimizer)
    assert not (tmp_path / "executed").exists()
