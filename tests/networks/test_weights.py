"""Initial weights: SAM's layout, fine-tuning, and files that do not fit."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from segment_anything.modeling import ImageEncoderViT

from cervseg.core.errors import CheckpointError
from cervseg.core.types import NetworkSpec
from cervseg.networks.base import build_network
from cervseg.networks.checkpoint import Checkpoint, write_checkpoint
from cervseg.networks.weights import (
    load_pretrained,
    load_sam_encoder,
)
from tests.checkpoints import described

SAM = {
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "global_attn_indexes": (1,),
    "window_size": 3,
    "patch_size": 8,
}
ARGUMENTS = {**SAM, "in_channels": 1, "num_labels": 1, "out_chans": 8, "decoder_widths": (8, 8, 4)}


def small_network(**changes):
    """Build a CervSpineNet for 64 x 64 px, with ``changes`` to its arguments."""
    return build_network(
        NetworkSpec(name="cervspinenet", arguments={"input_size": (64, 64), **ARGUMENTS, **changes})
    )


def checkpoint_of(network, **changes):
    """Build a checkpoint of a CervSpineNet."""
    spec = NetworkSpec(name="cervspinenet", arguments={"input_size": (64, 64), **ARGUMENTS, **changes})
    return Checkpoint(model=described(spec), state_dict=network.state_dict(), epoch=0, dice=None)


@pytest.fixture
def sam_file(tmp_path):
    """Save a small SAM checkpoint for 64 x 64 px in the published layout, with one prompt encoder tensor."""
    torch.manual_seed(0)
    encoder = ImageEncoderViT(
        img_size=64, out_chans=8, use_rel_pos=True, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), **SAM
    )
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    state = {f"image_encoder.{name}": value for name, value in encoder.state_dict().items()}
    state["prompt_encoder.not_a_point_embed.weight"] = torch.zeros(1, 8)
    path = tmp_path / "sam.pth"
    torch.save(state, path)
    return path, encoder


def test_sam_encoder_loads_key_by_key(sam_file):
    """At the checkpoint's size, the encoder's features equal those of SAM."""
    path, reference = sam_file
    network = small_network()
    report = load_sam_encoder(network, path)
    assert report.num_loaded == len(reference.state_dict())
    assert report.resized == ()
    image = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(network.encoder(image), reference(image), atol=1e-4, rtol=1e-4)


def test_sam_positions_are_interpolated_for_another_size(sam_file):
    """For a rectangle, positions of the image and the global block are interpolated; windows are not."""
    path, reference = sam_file
    network = small_network(input_size=(48, 32))
    report = load_pretrained(network, path)
    assert set(report.resized) == {"pos_embed", "blocks.1.attn.rel_pos_h", "blocks.1.attn.rel_pos_w"}
    assert "3 of them interpolated" in str(report)
    state, given = network.encoder.state_dict(), reference.state_dict()
    assert torch.equal(state["blocks.0.attn.rel_pos_h"], given["blocks.0.attn.rel_pos_h"])
    # The embedding of distance 0 stays in the middle.
    assert torch.allclose(state["blocks.1.attn.rel_pos_h"][5], given["blocks.1.attn.rel_pos_h"][7])
    assert state["pos_embed"].shape == (1, 6, 4, 16)
    assert network(torch.randn(1, 1, 48, 32)).isfinite().all()


def test_sam_of_another_width_is_refused_and_changes_nothing(sam_file):
    """The error gives the sizes of ViT-B, and the network is unchanged."""
    path, _ = sam_file
    network = small_network(embed_dim=24)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(CheckpointError, match="embed_dim 768"):
        load_sam_encoder(network, path)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with pytest.raises(CheckpointError, match="without a SAM encoder"):
        load_sam_encoder(torch.nn.Linear(2, 2), path)


def test_fine_tuning_from_ours(tmp_path):
    """For another number of labels and another size, only the head is left as initialized."""
    path = tmp_path / "checkpoint_best.pt"
    write_checkpoint(path, checkpoint_of(small_network()))
    network = small_network(num_labels=3, input_size=(48, 64))
    report = load_pretrained(network, path)
    assert report.left_out == ("decoder.head.weight", "decoder.head.bias")
    assert "encoder.pos_embed" in report.resized
    with pytest.raises(CheckpointError, match="tensors are in this file"):
        load_pretrained(small_network(embed_dim=24), path)


def test_fine_tuning_of_batch_statistics(tmp_path):
    """Every tensor of a U-Net with batch norm is loaded, including its counters."""
    spec = NetworkSpec(
        name="unet", arguments={"input_size": (16, 16), "features": 4, "num_levels": 2, "norm": "batch"}
    )
    given, path = build_network(spec), tmp_path / "checkpoint_best.pt"
    given(torch.randn(2, 1, 16, 16))  # moves the statistics
    made = Checkpoint(model=described(spec), state_dict=given.state_dict(), epoch=0, dice=None)
    write_checkpoint(path, made)
    network = build_network(spec)
    report = load_pretrained(network, path)
    assert report.left_out == ()
    assert all(torch.equal(value, given.state_dict()[name]) for name, value in network.state_dict().items())
