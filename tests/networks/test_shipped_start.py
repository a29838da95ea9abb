"""Networks that start from a shipped model."""

from __future__ import annotations

import torch

from cervseg.networks.base import build_network
from cervseg.networks.checkpoint import read_checkpoint
from cervseg.networks.lite import LiteUNet
from cervseg.networks.shipped_start import start_from_shipped
from cervseg.shipped import DEFAULT, shipped_models

CHECKPOINT = read_checkpoint(shipped_models()[DEFAULT].trained_folds()[0].weights)


def copied(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_the_same_labels_take_over_every_tensor() -> None:
    """A network of the model's own shape and labels becomes the model."""
    network = build_network(CHECKPOINT.model.network)
    source = start_from_shipped(network, architecture="lite_unet", labels=CHECKPOINT.model.dataset.trained)
    assert source is not None
    assert source.startswith(f"{len(CHECKPOINT.state_dict)} tensors from the shipped model spinous")
    assert "synthetic" in source
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, CHECKPOINT.state_dict[name]), name


def test_planes_follow_the_names_of_labels() -> None:
    """Two of three labels are the model's, in another order; the third keeps its random plane."""
    names = list(CHECKPOINT.model.dataset.trained)
    labels = {names[4]: 1, "something_else": 2, names[1]: 3}
    network = LiteUNet(input_size=(128, 96), num_labels=3)
    before = copied(network)
    assert start_from_shipped(network, architecture="lite_unet", labels=labels) is not None
    for name in ("head.weight", "head.bias"):
        made, given = network.state_dict()[name], CHECKPOINT.state_dict[name]
        assert torch.equal(made[0], given[4])
        assert torch.equal(made[1], before[name][1])
        assert torch.equal(made[2], given[1])
    stem = "encoder.stem.0.weight"
    assert torch.equal(network.state_dict()[stem], CHECKPOINT.state_dict[stem])


def test_another_size_or_architecture_starts_elsewhere() -> None:
    """No shipped model of the architecture, or one of other widths: None, and nothing has changed."""
    for network, architecture in (
        (LiteUNet(input_size=(128, 96), decoder_widths=(32, 16, 16, 8)), "lite_unet"),
        (LiteUNet(input_size=(128, 96)), "unet"),
    ):
        before = copied(network)
        assert start_from_shipped(network, architecture=architecture, labels={"spine": 1}) is None
        assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_labels_of_other_names_leave_the_last_layer_alone() -> None:
    """Everything else is taken over, also tensors whose first side happens to be the number of labels."""
    checkpoint = read_checkpoint(shipped_models()["spinous_cervspinenet"].trained_folds()[0].weights)
    network = build_network(checkpoint.model.network)
    before = copied(network)
    assert start_from_shipped(network, architecture="cervspinenet", labels={"canine": 1}) is not None
    assert checkpoint.state_dict["encoder.pos_embed"].shape[0] == 1
    for name, tensor in network.state_dict().items():
        given = before if ".head." in name else checkpoint.state_dict
        assert torch.equal(tensor, given[name]), name
