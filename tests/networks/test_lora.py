from __future__ import annotations

import torch
from torch import nn

from cervseg.networks.cervspine import CervSpineNet
from cervseg.networks.lora import ALPHA, LoraLinear, add_lora, merged_state
from cervseg.networks.segformer import TextSegFormer

RANK = 3
TINY = {
    "embed_dim": 24,
    "depth": 2,
    "num_heads": 2,
    "global_attn_indexes": (1,),
    "window_size": 3,
    "out_chans": 16,
    "decoder_widths": (16, 16, 8, 8),
}


def network_with_updates() -> CervSpineNet:
    torch.manual_seed(0)
    network = CervSpineNet(input_size=(64, 64), **TINY)
    assert add_lora(network.encoder, rank=RANK) == 2
    return network


def test_an_untrained_update_changes_nothing() -> None:
    """With B = 0 the logits are bit-identical to those without an update."""
    torch.manual_seed(0)
    network = CervSpineNet(input_size=(64, 64), **TINY)
    image = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        expected = network(image)
        add_lora(network.encoder, rank=RANK)
        assert torch.equal(network(image), expected)


def test_the_formula() -> None:
    """The layer computes W x + b + (alpha / rank) B A x."""
    torch.manual_seed(0)
    layer = LoraLinear(nn.Linear(5, 7), rank=RANK)
    nn.init.normal_(layer.lora_b)
    x = torch.randn(4, 5)
    expected = x @ layer.weight.T + layer.bias + ALPHA / RANK * x @ layer.lora_a.T @ layer.lora_b.T
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(x @ layer.merged_weight().T + layer.bias, expected)


def test_only_the_updates_train() -> None:
    """Only the updates get gradients; they have rank (in + out) parameters per block."""
    network = network_with_updates()
    trained = {name: p for name, p in network.encoder.named_parameters() if p.requires_grad}
    assert {name.rpartition(".")[2] for name in trained} == {"lora_a", "lora_b"}
    assert sum(p.numel() for p in trained.values()) == 2 * RANK * (24 + 3 * 24)
    for parameter in network.encoder.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=0.1)
    network(torch.randn(1, 1, 64, 64)).square().mean().backward()
    for name, parameter in network.encoder.named_parameters():
        assert (parameter.grad is not None and bool(parameter.grad.any())) == (name in trained), name


def test_merged_weights_compute_the_same_under_the_networks_own_names() -> None:
    """A network without updates loads the merged weights and gives the same logits."""
    network, plain = network_with_updates(), CervSpineNet(input_size=(64, 64), **TINY)
    for module in network.modules():
        if isinstance(module, LoraLinear):
            nn.init.normal_(module.lora_b, std=0.5)
    before = [name for name in network.state_dict() if "lora" in name]
    plain.load_state_dict(merged_state(network))
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(plain(image), network(image), atol=1e-4, rtol=1e-4)
    assert [name for name in network.state_dict() if "lora" in name] == before


def test_merging_leaves_other_networks_alone() -> None:
    """Without updates, the merged state equals the state."""
    network = nn.Conv2d(1, 2, 3)
    merged = merged_state(network)
    assert merged.keys() == network.state_dict().keys()
    assert torch.equal(merged["weight"], network.weight)


def test_a_segformer_takes_updates_too() -> None:
    """MiT separates queries from keys and values: two layers in each of eight blocks."""
    torch.manual_seed(0)
    network, image = TextSegFormer(input_size=(64, 64), encoder="mit_b0").eval(), torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        expected = network(image)
        assert add_lora(network.encoder, rank=RANK) == 16
        assert torch.equal(network(image), expected)


def test_no_attention_no_updates() -> None:
    """A convolutional encoder gets no updates, and the returned number is 0."""
    assert add_lora(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Linear(2, 2)), rank=2) == 0
