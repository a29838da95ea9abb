"""ImageNet weights: loading into an encoder, and errors without a connection."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch.encoders as library
import torch
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import get_encoder

from cervseg.core.errors import CheckpointError
from cervseg.networks import imagenet
from cervseg.networks.imagenet import load_imagenet


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Empty the library's cache and make its server unreachable."""

    def unreachable(*_args, **_options):
        try:
            raise ConnectionError("Name or service not known.")
        except ConnectionError as cause:
            raise OSError("An error happened\nsomewhere") from cause

    monkeypatch.setattr(imagenet, "try_to_load_from_cache", lambda *_args, **_options: None)
    monkeypatch.setattr(imagenet, "get_hf_file_metadata", unreachable)
    monkeypatch.setattr(library, "hf_hub_download", unreachable)


@pytest.fixture
def served(monkeypatch, tmp_path):
    """Use a folder as server; ``served(name)`` stores random weights of an encoder and returns them."""

    def serve(name):
        torch.manual_seed(1)
        state = get_encoder(name, weights=None).state_dict()
        save_file(state, tmp_path / "model.safetensors")
        return state

    def download(_repository, *, filename, revision):
        return str(tmp_path / filename)

    monkeypatch.setattr(imagenet, "get_hf_file_metadata", lambda _url: None)
    monkeypatch.setattr(library, "hf_hub_download", download)
    return serve


@pytest.mark.parametrize(("name", "stride"), [("resnet18", 16), ("mit_b0", 32)])
def test_every_tensor_of_the_encoder_is_filled(served, name, stride):
    """All tensors are loaded, also with dilation; the source names the published weights."""
    torch.manual_seed(0)
    encoder = get_encoder(name, weights=None, output_stride=stride)
    state = served(name)
    source = load_imagenet(encoder, name=name)
    found = encoder.state_dict()
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], value) for key, value in state.items())
    assert source.startswith(f"ImageNet weights (smp-hub/{name}.imagenet, revision ")


def test_offline_is_an_error_with_a_hint():
    """The error gives the cause and --from-scratch; the encoder is unchanged."""
    encoder = get_encoder("resnet18", weights=None)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_imagenet(encoder, name="resnet18")
    assert str(caught.value) == (
        "the ImageNet weights of resnet18 cannot be downloaded "
        "(ConnectionError: Name or service not known.): smp-hub/resnet18.imagenet\n"
        "hint: Train once online to cache them, or train from scratch with --from-scratch"
    )
    assert all(torch.equal(before[key], value) for key, value in encoder.state_dict().items())


def test_cached_weights_need_no_server(monkeypatch, served):
    """Weights in the library's cache are used without a request."""
    state = served("mit_b0")
    monkeypatch.setattr(imagenet, "try_to_load_from_cache", lambda *_args, **_options: "/cache/file")
    monkeypatch.setattr(imagenet, "get_hf_file_metadata", lambda _url: pytest.fail("asked the server"))
    encoder = get_encoder("mit_b0", weights=None)
    load_imagenet(encoder, name="mit_b0")
    assert all(torch.equal(encoder.state_dict()[key], value) for key, value in state.items())


def test_a_truncated_file_is_an_error(served, tmp_path):
    """A truncated download is a CheckpointError."""
    served("mit_b0")
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(CheckpointError, match="cannot be downloaded"):
        load_imagenet(get_encoder("mit_b0", weights=None), name="mit_b0")
