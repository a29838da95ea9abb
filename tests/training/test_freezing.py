import pytest
import torch
from torch import nn

from cervseg.core.errors import PlanError
from cervseg.networks.base import num_parameters
from cervseg.networks.unet import UNet
from cervseg.training.freezing import choose_trained, num_trained, parameter_groups, train_mode
from tests.training.tiny import hyper, tiny_network


def trained(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def test_by_default_everything_trains_in_two_groups() -> None:
    """Matrices and kernels with weight decay, the rest without, all at the full learning rate."""
    network, settings = tiny_network(), hyper(weight_decay=0.3)
    choose_trained(network, settings)
    assert num_trained(network) == num_parameters(network)
    decayed, free = parameter_groups(network, settings)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    assert decayed["factor"] == free["factor"] == 1.0
    assert len(decayed["params"]) + len(free["params"]) == len(list(network.parameters()))
    assert any(network.encoder.pos_embed is parameter for parameter in free["params"])
    assert any(network.decoder.head.weight is parameter for parameter in decayed["params"])
    assert any(network.decoder.head.bias is parameter for parameter in free["params"])


def test_a_frozen_encoder() -> None:
    """The encoder does not train and stays in evaluation mode; the whole decoder trains."""
    network = tiny_network()
    choose_trained(network, hyper(freeze_encoder=True))
    train_mode(network)
    assert trained(network) == {f"decoder.{name}" for name, _ in network.decoder.named_parameters()}
    assert not any(module.training for module in network.encoder.modules())
    assert all(module.training for module in network.decoder.modules())
    assert num_trained(network) == num_parameters(network.decoder)


@pytest.mark.parametrize("num_last", [0, 1, 3])
def test_the_last_blocks(num_last: int) -> None:
    """They and the layers after them train; embeddings and earlier blocks do not."""
    network = tiny_network(depth=3)
    choose_trained(network, hyper(train_last_blocks=num_last))
    parts = {".".join(name.split(".")[: 3 if ".blocks." in name else 2]) for name in trained(network)}
    blocks = {f"encoder.blocks.{index}" for index in range(3 - num_last, 3)}
    assert parts == blocks | {"encoder.neck", "decoder.stages", "decoder.head"}


def test_layer_decay_by_hand() -> None:
    """Of three blocks, with decay 0.5: 1/16 the embeddings, 1/8, 1/4, 1/2 the blocks, 1 neck and decoder."""
    network, settings = tiny_network(depth=3), hyper(layer_decay=0.5)
    choose_trained(network, settings)
    factors = {
        id(parameter): group["factor"]
        for group in parameter_groups(network, settings)
        for parameter in group["params"]
    }
    expected = {"encoder.pos_embed": 1 / 16, "encoder.patch_embed": 1 / 16, "encoder.neck": 1, "decoder": 1}
    expected |= {f"encoder.blocks.{index}": 1 / 2 ** (3 - index) for index in range(3)}
    assert len(factors) == len(list(network.parameters()))
    for name, parameter in network.named_parameters():
        (factor,) = {value for part, value in expected.items() if name.startswith(part)}
        assert factors[id(parameter)] == factor, name


def test_encoders_under_another_name_are_found() -> None:
    """``network.encoder`` may be a property of a network that uses another name."""

    class Renamed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image_encoder = tiny_network().encoder
            self.rest = nn.Linear(2, 2)

        @property
        def encoder(self) -> nn.Module:
            return self.image_encoder

    network = Renamed()
    choose_trained(network, hyper(train_last_blocks=1))
    parts = {name.split(".")[1] for name in trained(network) if name.startswith("image_encoder")}
    assert parts == {"blocks", "neck"}
    assert not any(name.startswith("image_encoder.blocks.0.") for name in trained(network))
    assert {"rest.weight", "rest.bias"} <= trained(network)


def test_activation_checkpointing_where_it_is_set() -> None:
    """checkpoint_blocks reaches the encoder; gradients are the same."""
    gradients = []
    for checkpoint_blocks in (False, True):
        network = tiny_network()
        choose_trained(network, hyper(checkpoint_blocks=checkpoint_blocks))
        assert network.encoder.checkpoint_blocks == checkpoint_blocks
        train_mode(network)
        torch.manual_seed(3)
        network(torch.randn(1, 1, 32, 32)).square().mean().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("freeze_encoder", True),
        ("train_last_blocks", 1),
        ("lora_rank", 2),
        ("layer_decay", 0.9),
        ("checkpoint_blocks", True),
    ],
)
def test_rules_are_errors_for_a_network_without_an_encoder(name: str, value: object) -> None:
    """A U-Net has none: the error names the setting, the network and a hint."""
    network = UNet(input_size=(32, 32), features=8, num_levels=2)
    with pytest.raises(PlanError, match=rf"(?s)UNet has no separate encoder.*Leave {name} out") as caught:
        choose_trained(network, hyper(**{name: value}))
    assert caught.value.where == name


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train_last_blocks", 1, "no transformer blocks"),
        ("layer_decay", 0.9, "no transformer blocks"),
        ("lora_rank", 2, "has no attention"),
        ("checkpoint_blocks", True, "does not support activation checkpointing"),
    ],
)
def test_rules_for_transformers_are_errors_for_other_encoders(name: str, value: object, message: str) -> None:
    """A convolutional encoder can be frozen, but has no blocks."""
    network = nn.Module()
    network.encoder = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    choose_trained(network, hyper(freeze_encoder=True))
    with pytest.raises(PlanError, match=message):
        choose_trained(network, hyper(**{name: value}))


def test_more_blocks_than_there_are() -> None:
    """The error says how many there are."""
    with pytest.raises(PlanError, match=r"(?s)has 2 blocks.*Use 0 to 2"):
        choose_trained(tiny_network(), hyper(train_last_blocks=3))
