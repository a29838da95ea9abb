"""Networks built from a NetworkSpec."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cervseg.core.errors import PluginError
from cervseg.core.types import NetworkSpec
from cervseg.networks.base import build_network, check_divisible, check_input, num_parameters, size_mib

TINY = {
    "in_channels": 1,
    "num_labels": 1,
    "input_size": [32, 48],
    "embed_dim": 16,
    "depth": 1,
    "num_heads": 2,
    "window_size": 0,
    "patch_size": 8,
    "out_chans": 8,
    "decoder_widths": [8, 8, 4],
}


def test_builds_the_network_of_a_spec():
    """Lists from JSON are converted to tuples."""
    network = build_network(NetworkSpec(name="cervspinenet", arguments=TINY))
    assert type(network).__name__ == "CervSpineNet"
    assert network(torch.zeros(1, 1, 32, 48)).shape == (1, 1, 32, 48)


def test_bad_names_and_arguments_are_plugin_errors():
    """Each error tells what is wrong and lists the valid names."""
    with pytest.raises(PluginError, match=r"(?s)no plug-in 'cervspinnet'.*cervspinenet"):
        build_network(NetworkSpec(name="cervspinnet", arguments={}))
    with pytest.raises(PluginError, match=r"(?s)'widht'.*embed_dim"):
        build_network(NetworkSpec(name="cervspinenet", arguments={**TINY, "widht": 3}))
    with pytest.raises(PluginError, match=r"Use \(32, 48\)"):
        build_network(NetworkSpec(name="cervspinenet", arguments={**TINY, "input_size": [33, 48]}))


def test_a_factory_must_return_a_module(monkeypatch):
    """A factory that returns another type is an error."""
    monkeypatch.setattr("cervseg.networks.base.load", lambda _group, _name: lambda **_arguments: 3)
    with pytest.raises(PluginError, match=r"(?s)is a int.*torch\.nn\.Module"):
        build_network(NetworkSpec(name="odd", arguments={}))


def test_size():
    """Number of parameters and MiB equal those by hand: 3 * 4 + 4 numbers."""
    layer = nn.Linear(3, 4)
    assert num_parameters(layer) == 16
    assert size_mib(layer) == pytest.approx(64 / 2**20)


def test_input_checks():
    """Errors give the expected size."""
    check_input(torch.zeros(2, 1, 8, 16), in_channels=1, input_size=(8, 16))
    with pytest.raises(ValueError, match="takes B x 1 x 8 x 16"):
        check_input(torch.zeros(2, 3, 8, 16), in_channels=1, input_size=(8, 16))
    with pytest.raises(ValueError, match=r"Use \(16, 32\)"):
        check_divisible((15, 33), by=16)
    with pytest.raises(ValueError, match=r"Use \(16, 16\)"):
        check_divisible((0, 16), by=16)
