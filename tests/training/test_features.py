from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from cervseg.core.types import Augmentation
from cervseg.networks.cervspine import CervSpineNet
from cervseg.training.data import Batch, BatchPlan
from cervseg.training.features import keep_features, num_bytes, what_is_kept
from cervseg.training.freezing import choose_trained
from cervseg.training.trainer import Trainer
from tests.training.tiny import CPU, InterruptedTrainer, blob_batches, hyper, run, tiny_network

FROZEN = hyper(freeze_encoder=True, epochs=3)


def frozen() -> CervSpineNet:
    network = tiny_network()
    choose_trained(network, FROZEN)
    return network


def keep(
    network: nn.Module,
    batches: BatchPlan,
    validation: BatchPlan | None = None,
    *,
    trainer: Trainer | None = None,
    precision: str = "float32",
    memory_bytes: int = 2**20,
) -> tuple[BatchPlan, BatchPlan | None]:
    return keep_features(
        trainer or Trainer(),
        network,
        batches,
        validation,
        device=CPU,
        precision=precision,
        memory_bytes=memory_bytes,
    )


def test_training_on_kept_features_is_the_same(tmp_path: Path) -> None:
    """The same weights in the end, up to rounding, and the encoder has seen each image once."""
    batches = blob_batches(tmp_path / "cache", num=5)
    plain = frozen()
    run(plain, batches, tmp_path / "plain", hyperparameters=FROZEN)

    quick, seen = frozen(), []
    quick.encoder.register_forward_hook(lambda _module, inputs, _output: seen.append(len(inputs[0])))
    held_out, said = replace(batches, ranges=None), list[str]()
    options = {"validation": held_out, "feature_bytes": 2**20, "log": said.append}
    run(quick, batches, tmp_path / "quick", hyperparameters=FROZEN, **options)
    assert sum(seen) == 5 + 5
    assert said == [what_is_kept(*keep(quick, batches, held_out))]
    before = frozen().state_dict()
    for name, expected in plain.state_dict().items():
        torch.testing.assert_close(quick.state_dict()[name], expected, atol=1e-5, rtol=1e-4, msg=name)
        assert torch.equal(before[name], expected) == name.startswith("encoder."), name


def test_resuming_computes_the_features_of_the_restored_encoder(tmp_path: Path) -> None:
    """Not of the fresh encoder that the checkpoint is loaded into: the run ends bit-equal."""
    batches = blob_batches(tmp_path / "cache", num=5)
    undisturbed = frozen()
    run(undisturbed, batches, tmp_path / "one", hyperparameters=FROZEN, feature_bytes=2**20)
    with pytest.raises(KeyboardInterrupt):
        run(
            frozen(),
            batches,
            tmp_path / "two",
            hyperparameters=FROZEN,
            feature_bytes=2**20,
            trainer=InterruptedTrainer(num_batches=4),
        )
    again = tiny_network(seed=1)
    choose_trained(again, FROZEN)
    run(again, batches, tmp_path / "two", hyperparameters=FROZEN, feature_bytes=2**20)
    for name, expected in undisturbed.state_dict().items():
        assert torch.equal(again.state_dict()[name], expected), name


def test_forward_is_encode_then_decode() -> None:
    """Features can be kept because of this."""
    network, image = tiny_network(), torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(network.decode(network.encode(image)), network(image))


def test_what_is_kept_and_what_it_takes(tmp_path: Path) -> None:
    """8 channels on a grid of 4 x 4 in float32, for each image."""
    batches = blob_batches(tmp_path, num=5)
    kept, validation = keep(frozen(), batches, memory_bytes=5 * 512)
    assert validation is None
    assert kept.features is not None
    assert {name: tuple(value.shape) for name, value in kept.features.items()} == {
        f"c{index}": (8, 4, 4) for index in range(5)
    }
    assert num_bytes(kept.features) == 5 * 8 * 4 * 4 * 4
    assert "5 images kept" in what_is_kept(kept, None)
    batch = next(iter(kept.epoch(0)))
    assert batch.feature_BCHW is not None
    for case, feature in zip(batch.cases, batch.feature_BCHW, strict=True):
        assert torch.equal(feature, kept.features[case])


def test_bfloat16_features_stay_as_the_encoder_made_them(tmp_path: Path) -> None:
    """The kept feature is the encoder's own output under autocast, not a rounded copy."""
    network, batches = frozen(), blob_batches(tmp_path, num=2)
    kept, _ = keep(network, batches, precision="bfloat16")
    batch = next(iter(kept.epoch(0)))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = network.eval().encode(batch.to(CPU).image_BCHW)
    assert batch.feature_BCHW is not None
    assert batch.feature_BCHW.dtype == expected.dtype
    assert torch.equal(batch.feature_BCHW, expected)


def test_augmented_images_are_not_kept_but_those_of_validation_are(tmp_path: Path) -> None:
    """An image that changes has no constant features, and a message says so."""
    batches = blob_batches(tmp_path, num=3, ranges=Augmentation())
    kept, validation = keep(frozen(), batches, replace(batches, ranges=None))
    assert kept.features is None
    assert validation is not None
    assert len(validation.features or ()) == 3
    assert "--set probability=0" in what_is_kept(kept, validation)


@pytest.mark.parametrize("memory_bytes", [0, 5 * 512 - 1])
def test_what_does_not_fit_is_not_kept(tmp_path: Path, memory_bytes: int) -> None:
    """Either all images of a plan or none."""
    kept, _ = keep(frozen(), blob_batches(tmp_path, num=5), memory_bytes=memory_bytes)
    assert kept.features is None
    assert "every epoch computes them again" in what_is_kept(kept, None)


def test_networks_and_trainers_of_another_kind_keep_nothing(tmp_path: Path) -> None:
    """A network in one piece, or a trainer that makes its logits itself, trains as before."""

    class Own(Trainer):
        def logits(self, network: nn.Module, batch: Batch) -> torch.Tensor:
            return network(batch.image_BCHW.flip(3))

    batches = blob_batches(tmp_path, num=2)
    for trainer, network in ((Own(), frozen()), (Trainer(), nn.Conv2d(1, 1, 1))):
        kept, _ = keep(network, batches, trainer=trainer)
        assert kept.features is None
