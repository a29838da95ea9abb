"""Checkpoints: round trips, older files, and invalid files."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cervseg.core.errors import CheckpointError
from cervseg.core.jsonio import to_json
from cervseg.core.types import NetworkSpec
from cervseg.networks.base import build_network
from cervseg.networks.cervspine import CervSpineNet
from cervseg.networks.checkpoint import (
    Checkpoint,
    ModelDescription,
    Progress,
    RandomState,
    TrainingState,
    network_from_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from cervseg.networks.weights import load_pretrained
from tests.checkpoints import CONFIGURATION, DATASET, described

SPEC = NetworkSpec(
    name="cervspinenet",
    arguments={
        "input_size": (64, 64),
        "embed_dim": 16,
        "depth": 2,
        "num_heads": 2,
        "global_attn_indexes": (1,),
        "window_size": 3,
        "patch_size": 16,
        "out_chans": 8,
        "decoder_widths": (8, 8, 8, 8),
    },
)
IMAGE = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(SPEC)


def checkpoint_of(network: nn.Module, **changes: Any) -> Checkpoint:
    made = Checkpoint(model=described(SPEC), state_dict=network.state_dict(), epoch=3, dice=0.5)
    return replace(made, **changes)


def content_of(network: nn.Module) -> dict[str, Any]:
    """Build the content of a checkpoint file by hand."""
    model = {**to_json(described(SPEC))}
    return {"format": 2, "model": model, "state_dict": network.state_dict(), "epoch": 3, "dice": 0.5}


def same(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_round_trip(tmp_path: Path) -> None:
    """A checkpoint that is written and read gives the same description and bit-identical logits."""
    network, path = small_network().eval(), tmp_path / "checkpoint_best.pt"
    write_checkpoint(path, checkpoint_of(network))
    read = read_checkpoint(path)
    assert to_json(read.model) == to_json(described(SPEC))
    assert (read.epoch, read.dice, read.training, read.format) == (3, 0.5, None, 2)
    with torch.no_grad():
        assert torch.equal(network_from_checkpoint(read)(IMAGE), network(IMAGE))


def test_a_checkpoint_without_auxiliary_labels_is_read(tmp_path: Path) -> None:
    """Files from before there were any have no such field in their dataset."""
    content = content_of(small_network())
    torch.save(content, tmp_path / "now.pt")
    for name, default in (("auxiliary", []), ("synthetic", False), ("levels_of", "")):
        assert content["model"]["dataset"].pop(name) == default
    torch.save(content, tmp_path / "before.pt")
    assert read_checkpoint(tmp_path / "before.pt").model == read_checkpoint(tmp_path / "now.pt").model


def test_round_trip_of_a_training(tmp_path: Path) -> None:
    """Progress, optimizer, average and random state are restored."""
    random_state = torch.get_rng_state()
    progress = Progress(epoch=2, batch=1, elapsed_s=3.25, dice=0.5, best_epoch=1, sums={"dice": 0.1 + 0.2})
    state = TrainingState(
        progress=progress,
        optimizer={"state": {0: {"step": torch.tensor(7.0)}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        average={"n_averaged": torch.tensor(4)},
        random=RandomState(cpu=random_state),
    )
    path = tmp_path / "checkpoint_latest.pt"
    write_checkpoint(path, checkpoint_of(small_network(), training=state))
    read = read_checkpoint(path).training
    assert read is not None
    assert read.progress == progress
    assert read.optimizer == state.optimizer
    assert read.average == state.average
    assert read.random is not None
    assert torch.equal(read.random.cpu, random_state)


def format_1(network: nn.Module, **more: Any) -> dict[str, Any]:
    """Build the content of a file of cervseg 0.1.0."""
    return {
        "format": 1,
        "trainer": "CervSpineNetTrainer",
        "network": {"name": "cervspinenet", "arguments": to_json(SPEC.arguments)},
        "configuration": to_json(CONFIGURATION),
        "dataset": to_json(DATASET),
        "cache_long_side_px": 1024,
        "variant": "original",
        "fold": "0",
        "teacher": "",
        "run": {
            "versions": {"cervseg": "0.1.0"},
            "seed": 0,
            "commit": "",
            "device": "cpu",
            "date": "2026-01-01",
            "started_from": {"encoder": "random weights", "text": "a file"},
        },
        "state_dict": network.state_dict(),
        "epoch": 2,
        "dice": 0.25,
        **more,
    }


def test_files_of_version_0_1_load(tmp_path: Path) -> None:
    """A best checkpoint of cervseg 0.1.0 predicts, and a latest one restores the state of its format."""
    network, path = small_network().eval(), tmp_path / "c.pt"
    torch.save(format_1(network), path)
    read = read_checkpoint(path)
    assert (read.format, read.epoch, read.dice, read.training) == (1, 2, 0.25, None)
    assert read.model.run.started_from == {"encoder": None, "text": "a file"}
    assert same(network_from_checkpoint(read), network)

    progress = {"epoch": 2, "batch": 1, "elapsed_s": 9.5, "dice": 0.25, "best_epoch": 1, "sums": {"bce": 0.5}}
    optimizer = torch.optim.AdamW(network.parameters()).state_dict()
    scaled = {**progress, "scaler": {"scale": 2.0}}
    torch.save(format_1(network, optimizer=optimizer, progress=scaled), path)
    state = read_checkpoint(path).training
    assert state is not None
    assert state.progress == Progress(**progress)  # type: ignore[arg-type]
    assert state.scaler == {"scale": 2.0}
    assert state.average is None
    assert state.random is None
    assert state.optimizer == optimizer


def test_truncated_files(tmp_path: Path) -> None:
    """A truncated checkpoint is an error that names the file."""
    path = tmp_path / "checkpoint_best.pt"
    write_checkpoint(path, checkpoint_of(small_network()))
    whole = path.read_bytes()
    for share in (0.0, 0.01, 0.5, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CheckpointError, match=r"checkpoint_best\.pt"):
            read_checkpoint(path)


def test_files_that_are_not_checkpoints(tmp_path: Path) -> None:
    """Missing files, folders, text, other tensors, newer formats and missing parts are errors."""
    path = tmp_path / "x.pt"
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path)
    path.write_text("hello, this is not a checkpoint")
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    content = content_of(small_network())
    for made, message in (
        (torch.zeros(3), "not a checkpoint"),
        ({"weight": torch.zeros(3)}, "not a cervseg checkpoint"),
        ({**content, "format": 99}, "format 99, this version reads 1 to 2"),
        ({**content, "model": {}}, "is missing"),
        ({**content, "model": 3}, "expected an object, got 3"),
        ({**content, "epoch": None}, "truncated or not a checkpoint"),
        ({**content, "format": 1}, "is missing"),
    ):
        torch.save(made, path)
        with pytest.raises(CheckpointError, match=message):
            read_checkpoint(path)


class _Evil:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.witness}",)


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    """A pickle that would run a command is not opened."""
    path, witness = tmp_path / "evil.pt", tmp_path / "ran"
    torch.save({**content_of(small_network()), "evil": _Evil(witness)}, path)
    with pytest.raises(CheckpointError, match="could run code"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError, match="could run code"):
        load_pretrained(small_network(), path)
    assert not witness.exists()


def test_weights_that_do_not_fit_their_network() -> None:
    """A checkpoint whose weights do not match its network is a CheckpointError."""
    network = small_network()
    state = {name: value for name, value in network.state_dict().items() if name != "decoder.head.bias"}
    with pytest.raises(CheckpointError, match=r"decoder\.head\.bias"):
        network_from_checkpoint(checkpoint_of(network, state_dict=state))
    unknown: ModelDescription = described(NetworkSpec(name="nothing_like_it", arguments={}))
    with pytest.raises(CheckpointError, match="no plug-in"):
        network_from_checkpoint(checkpoint_of(network, model=unknown))


def test_weights_of_a_checkpoint_are_not_drawn_first() -> None:
    """Building the network of a checkpoint loads its weights and keeps torch's random state."""
    network = small_network()
    before = torch.get_rng_state()
    again = network_from_checkpoint(checkpoint_of(network))
    assert torch.equal(torch.get_rng_state(), before)
    assert same(again, network)


@pytest.mark.parametrize(("low", "high"), [(0.1, 2.0), (0.1, 0.2)])
def test_a_network_that_redraws(low: float, high: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """An initializer that rejects zeros still draws random values and terminates."""
    network = small_network()
    first = CervSpineNet.__init__

    def picky(self: CervSpineNet, **arguments: Any) -> None:
        first(self, **arguments)
        torch.nn.init.trunc_normal_(self.encoder.pos_embed, a=low, b=high)

    monkeypatch.setattr(CervSpineNet, "__init__", picky)
    again = network_from_checkpoint(checkpoint_of(network))
    assert torch.equal(again.encoder.pos_embed, network.encoder.pos_embed)
