"""Checkpoints: round trips, SAM's layout, and files that are not what they should be."""

from __future__ import annotations

import os
from functools import partial

import pytest
import torch
from segment_anything.modeling import ImageEncoderViT

from cervseg.core.errors import CheckpointError
from cervseg.core.types import NetworkSpec
from cervseg.networks.base import build_network
from cervseg.networks.cervspine import CervSpineNet
from cervseg.networks.weights import (
    FORMAT,
    load_pretrained,
    load_sam_encoder,
    network_from_checkpoint,
    read_checkpoint,
)

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
    """A CervSpineNet of 64 x 64 px unless ``changes`` say otherwise."""
    return build_network(
        NetworkSpec(name="cervspinenet", arguments={"input_size": (64, 64), **ARGUMENTS, **changes})
    )


def content_of(network, **changes):
    """A checkpoint's content, as training writes it."""
    arguments = {"input_size": [64, 64], **ARGUMENTS, **changes}
    return {
        "format": FORMAT,
        "network": {
            "name": "cervspinenet",
            "arguments": {k: list(v) if isinstance(v, tuple) else v for k, v in arguments.items()},
        },
        "state_dict": network.state_dict(),
    }


@pytest.fixture
def sam_file(tmp_path):
    """A small SAM checkpoint in the published layout: 64 x 64 px, a prompt encoder's tensor beside it."""
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


def test_round_trip(tmp_path):
    """Saved, read and rebuilt: the same logits, without the trainer."""
    network, path = small_network().eval(), tmp_path / "checkpoint_best.pt"
    torch.save(content_of(network), path)
    again = network_from_checkpoint(read_checkpoint(path))
    image = torch.randn(1, 1, 64, 64)
    assert not again.training
    assert torch.equal(again(image), network(image))


def test_sam_encoder_loads_key_by_key(sam_file):
    """At the checkpoint's own size the encoder computes what SAM's computes."""
    path, reference = sam_file
    network = small_network()
    report = load_sam_encoder(network, path)
    assert report.num_loaded == len(reference.state_dict())
    assert report.resized == ()
    image = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(network.encoder(image), reference(image), atol=1e-4, rtol=1e-4)


def test_sam_positions_are_interpolated_for_another_size(sam_file):
    """A rectangular image: positions of the global block and of the image change shape, windows stay."""
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
    """The message names the sizes that ViT-B needs."""
    path, _ = sam_file
    network = small_network(embed_dim=24)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(CheckpointError, match="embed_dim 768"):
        load_sam_encoder(network, path)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with pytest.raises(CheckpointError, match="without a SAM encoder"):
        load_sam_encoder(torch.nn.Linear(2, 2), path)


def test_fine_tuning_from_ours(tmp_path):
    """Another number of labels and another size: only the head stays as initialized."""
    path = tmp_path / "checkpoint_best.pt"
    torch.save(content_of(small_network()), path)
    network = small_network(num_labels=3, input_size=(48, 64))
    report = load_pretrained(network, path)
    assert report.left_out == ("decoder.head.weight", "decoder.head.bias")
    assert "encoder.pos_embed" in report.resized
    with pytest.raises(CheckpointError, match="holds only"):
        load_pretrained(small_network(embed_dim=24), path)


def test_fine_tuning_of_batch_statistics(tmp_path):
    """Counters without any axis come along: every tensor of a U-Net with batch norm is loaded."""
    spec = NetworkSpec(
        name="unet", arguments={"input_size": (16, 16), "features": 4, "num_levels": 2, "norm": "batch"}
    )
    given, path = build_network(spec), tmp_path / "checkpoint_best.pt"
    given(torch.randn(2, 1, 16, 16))  # moves the statistics
    torch.save({**content_of(given), "network": {"name": "unet", "arguments": {}}}, path)
    network = build_network(spec)
    report = load_pretrained(network, path)
    assert report.left_out == ()
    assert all(torch.equal(value, given.state_dict()[name]) for name, value in network.state_dict().items())


def test_truncated_files(tmp_path):
    """Any half of a checkpoint is an error that names the file."""
    path = tmp_path / "checkpoint_best.pt"
    torch.save(content_of(small_network()), path)
    whole = path.read_bytes()
    for share in (0.0, 0.01, 0.5, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CheckpointError, match=r"checkpoint_best\.pt"):
            read_checkpoint(path)


def test_files_that_are_no_checkpoints(tmp_path):
    """Missing, text, a bare tensor, a state dict without our frame, another format."""
    path = tmp_path / "x.pt"
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path)
    path.write_text("hello, this is no checkpoint at all")
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    torch.save(torch.zeros(3), path)
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        read_checkpoint(path)
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="not a cervseg checkpoint"):
        read_checkpoint(path)
    torch.save({**content_of(small_network()), "format": 99}, path)
    with pytest.raises(CheckpointError, match="format 99"):
        read_checkpoint(path)


class _Evil:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch {self.witness}",)


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    """A pickle that would run a command is refused unopened."""
    path, witness = tmp_path / "evil.pt", tmp_path / "ran"
    torch.save({**content_of(small_network()), "evil": _Evil(witness)}, path)
    with pytest.raises(CheckpointError, match="could run code"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError, match="could run code"):
        load_pretrained(small_network(), path)
    assert not witness.exists()


def test_weights_that_do_not_fit_their_network():
    """A checkpoint that contradicts itself is a CheckpointError."""
    content = content_of(small_network())
    content["state_dict"].pop("decoder.head.bias")
    with pytest.raises(CheckpointError, match=r"decoder\.head\.bias"):
        network_from_checkpoint(content)
    with pytest.raises(CheckpointError, match="no plug-in"):
        network_from_checkpoint({**content, "network": {"name": "nothing_like_it", "arguments": {}}})
    with pytest.raises(CheckpointError):
        network_from_checkpoint({**content, "network": 3})


def test_nothing_is_drawn_that_a_checkpoint_fills_anyway():
    """A network out of a checkpoint leaves torch's random numbers where they were, and has its weights."""
    network = small_network()
    before = torch.get_rng_state()
    again = network_from_checkpoint(content_of(network))
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


@pytest.mark.parametrize(("low", "high"), [(0.1, 2.0), (0.1, 0.2)])
def test_a_network_that_draws_until_it_likes_the_result(low, high, monkeypatch):
    """Zeros are outside of its bounds: torch draws again, for real, and comes to an end."""
    network = small_network()
    first = CervSpineNet.__init__

    def picky(self, **arguments):
        first(self, **arguments)
        torch.nn.init.trunc_normal_(self.encoder.pos_embed, a=low, b=high)

    monkeypatch.setattr(CervSpineNet, "__init__", picky)
    again = network_from_checkpoint(content_of(network))
    assert torch.equal(again.encoder.pos_embed, network.encoder.pos_embed)
