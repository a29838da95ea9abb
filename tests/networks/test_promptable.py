"""Complete SAM: equal to segment-anything, batches of images and points, training."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch.nn import functional

from cervseg.core.errors import CheckpointError
from cervseg.core.types import NetworkSpec
from cervseg.networks.base import build_network, num_parameters
from cervseg.networks.checkpoint import (
    Checkpoint,
    network_from_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from cervseg.networks.promptable import NO_PROMPT, PromptableSAM
from cervseg.networks.weights import load_pretrained
from tests.checkpoints import described

ENCODER = {"embed_dim": 24, "depth": 2, "num_heads": 2, "global_attn_indexes": (1,), "window_size": 3}
SIZES = {**ENCODER, "patch_size": 16, "out_chans": 32}


def small_sam(side: int = 96) -> Sam:
    """Build segment-anything's SAM with random weights and the sizes SIZES."""
    grid = (side // 16, side // 16)
    sam = Sam(
        ImageEncoderViT(
            img_size=side,
            patch_size=16,
            out_chans=32,
            use_rel_pos=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            **ENCODER,
        ),
        PromptEncoder(
            embed_dim=32, image_embedding_size=grid, input_image_size=(side, side), mask_in_chans=16
        ),
        MaskDecoder(
            transformer_dim=32,
            transformer=TwoWayTransformer(depth=2, embedding_dim=32, num_heads=8, mlp_dim=256),
            iou_head_hidden_dim=32,
        ),
        pixel_mean=[0.0, 0.0, 0.0],
        pixel_std=[1.0, 1.0, 1.0],
    )
    for parameter in sam.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return sam


def points_of(*rows: tuple[float, float, int]) -> torch.Tensor:
    """Build the points of an image."""
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 3)


def relative_difference(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Compute the largest difference as a share of the largest value."""
    return float((actual - expected).abs().max() / expected.abs().max())


# Three images with three, no and two points.
POINTS = [
    points_of((10, 20, 0), (70.5, 33.25, 1), (95, 0, 0)),
    points_of(),
    points_of((48, 48, 1), (3, 90, 1)),
]


@pytest.fixture
def pair() -> tuple[Sam, PromptableSAM]:
    """Build segment-anything's SAM and ours with the same random weights for 96 x 96 px."""
    torch.manual_seed(0)
    sam = small_sam()
    ours = PromptableSAM(in_channels=3, num_labels=2, input_size=(96, 96), **SIZES)
    ours.load_state_dict(sam.state_dict())
    return sam, ours.eval()


@pytest.fixture(scope="module")
def vit_b() -> Sam:
    """Build the published network with random weights."""
    torch.manual_seed(0)
    return sam_model_registry["vit_b"]()


def test_published_size_and_layout(vit_b: Sam) -> None:
    """The 93,735,472 parameters have the names and shapes of SAM's ViT-B."""
    with torch.device("meta"):
        ours = PromptableSAM(in_channels=3)
    expected = {name: value.shape for name, value in vit_b.state_dict().items()}
    assert {name: value.shape for name, value in ours.state_dict().items()} == expected
    assert num_parameters(ours) == 93_735_472
    assert num_parameters(vit_b) == 93_735_472


def test_all_images_and_points_at_once_are_sam_one_by_one(pair: tuple[Sam, PromptableSAM]) -> None:
    """One pass over images with three, no and two points equals Sam.forward per image."""
    sam, ours = pair
    image_BCHW = torch.rand(3, 3, 96, 96)
    expected = []
    for image, one_image in zip(image_BCHW, POINTS):
        if len(one_image):
            record = {"image": image, "original_size": (96, 96), "point_coords": one_image[:, None, :2]}
            record["point_labels"] = torch.ones(len(one_image), 1)
            expected.append(sam([record], multimask_output=False)[0]["low_res_logits"])
    expected_NHW = functional.interpolate(
        torch.cat(expected), size=(96, 96), mode="bilinear", align_corners=False
    )[:, 0]
    with torch.no_grad():
        logits_NHW = ours.prompt_logits(image_BCHW, POINTS)
    assert logits_NHW.shape == (5, 96, 96)
    assert expected_NHW.std() > 1e-3
    assert relative_difference(logits_NHW, expected_NHW) <= 1e-4


def test_one_point_equals_sam_predictor(pair: tuple[Sam, PromptableSAM]) -> None:
    """SamPredictor, for one image and point at a time, gives the same masks."""
    sam, ours = pair
    image_BCHW = torch.rand(2, 3, 96, 96)
    points = [POINTS[0], POINTS[2]]
    with torch.no_grad():
        found = ours.prompt_logits(image_BCHW, points)
    expected = []
    predictor = SamPredictor(sam)
    for image_CHW, image in zip(image_BCHW, points):
        predictor.set_torch_image(image_CHW[None], (96, 96))
        for x, y, _ in image:
            point = torch.tensor([[[x, y]]])
            mask, _, _ = predictor.predict_torch(
                point, torch.ones(1, 1), multimask_output=False, return_logits=True
            )
            expected.append(mask[0, 0])
    assert relative_difference(found, torch.stack(expected)) <= 1e-4


def test_published_decoder_is_sams(vit_b: Sam) -> None:
    """At ViT-B's size the masks of three images equal those of SAM's decoder, point by point."""
    with torch.device("meta"):
        ours = PromptableSAM(in_channels=3)
    ours.prompt_encoder, ours.mask_decoder = vit_b.prompt_encoder, vit_b.mask_decoder
    feature_BCHW = torch.randn(3, 256, 64, 64)
    points = [points_of((500, 20, 0), (1023, 1023, 0)), points_of(), points_of((333.25, 718.5, 0))]
    with torch.no_grad():
        found = ours.decode(feature_BCHW, points)
        expected = []
        for feature_CHW, image in zip(feature_BCHW, points):
            for row in image:
                prompt = (row[None, None, :2], torch.ones(1, 1))
                sparse, dense = vit_b.prompt_encoder(points=prompt, boxes=None, masks=None)
                place = vit_b.prompt_encoder.get_dense_pe()
                low, _ = vit_b.mask_decoder(
                    image_embeddings=feature_CHW[None],
                    image_pe=place,
                    sparse_prompt_embeddings=sparse,
                    dense_prompt_embeddings=dense,
                    multimask_output=False,
                )
                expected.append(vit_b.postprocess_masks(low, (1024, 1024), (1024, 1024))[0, 0])
    assert found.shape == (3, 1024, 1024)
    assert relative_difference(found, torch.stack(expected)) <= 1e-4


def test_a_plane_is_the_maximum_over_its_points(pair: tuple[Sam, PromptableSAM]) -> None:
    """Each plane merges the masks of its points; a plane without points is constant and finite."""
    _, ours = pair
    image_BCHW = torch.rand(3, 3, 96, 96)
    with torch.no_grad():
        each = ours.prompt_logits(image_BCHW, POINTS)
        logits_BLHW = ours(image_BCHW, points=POINTS)
    assert logits_BLHW.shape == (3, 2, 96, 96)
    torch.testing.assert_close(logits_BLHW[0, 0], torch.maximum(each[0], each[2]))
    torch.testing.assert_close(logits_BLHW[0, 1], each[1])
    torch.testing.assert_close(logits_BLHW[2, 1], torch.maximum(each[3], each[4]))
    for empty in (logits_BLHW[1, 0], logits_BLHW[1, 1], logits_BLHW[2, 0]):
        assert torch.equal(empty, torch.full((96, 96), NO_PROMPT))
    target_BLHW = torch.ones_like(logits_BLHW)
    assert functional.binary_cross_entropy_with_logits(logits_BLHW, target_BLHW).isfinite()


def test_rectangles_of_one_channel() -> None:
    """Grey 96 x 64 images give 96 x 64 masks that depend on the position of the point."""
    torch.manual_seed(0)
    network = PromptableSAM(in_channels=1, num_labels=1, input_size=(96, 64), **SIZES).eval()
    image_BCHW = torch.rand(1, 1, 96, 64)
    with torch.no_grad():
        logits_BLHW = network(image_BCHW, points=[points_of((60, 90, 0))])
        elsewhere_BLHW = network(image_BCHW, points=[points_of((5, 5, 0))])
    assert logits_BLHW.shape == (1, 1, 96, 64)
    assert not torch.allclose(logits_BLHW, elsewhere_BLHW)


def test_positions_keep_float32_under_autocast() -> None:
    """In bfloat16 the positions are those of float32, and the masks stay close."""
    torch.manual_seed(0)
    network = PromptableSAM(in_channels=1, num_labels=1, input_size=(96, 96), **SIZES).eval()
    seen = []
    network.prompt_encoder.register_forward_hook(lambda _module, _inputs, found: seen.append(found[0]))
    feature_BCHW, points = torch.randn(1, 32, 6, 6), [points_of((90, 40, 0), (91, 40, 0))]
    with torch.no_grad():
        exact = network.decode(feature_BCHW, points)
        with torch.autocast("cpu", torch.bfloat16):
            near = network.decode(feature_BCHW, points)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0][0], seen[0][1])
    assert relative_difference(near.float(), exact) < 0.05


@pytest.mark.parametrize("num_points", [(2, 1), (1, 0), (0, 0)])
def test_every_trainable_parameter_gets_a_gradient(num_points: tuple[int, int]) -> None:
    """Parameters that points and masks use are trained, others frozen; without points gradients are 0."""
    torch.manual_seed(0)
    network = PromptableSAM(in_channels=1, num_labels=1, input_size=(64, 64), **SIZES)
    points = [points_of(*[(10 + 20 * k, 30, 0) for k in range(num)]) for num in num_points]
    network.prompt_logits(torch.rand(2, 1, 64, 64), points).square().sum().backward()
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert {name for name, p in network.named_parameters() if p.grad is not None} == trained
    largest = {name: float(p.grad.abs().max()) for name, p in network.named_parameters() if p.requires_grad}
    assert all((value > 0) == (sum(num_points) > 0) for value in largest.values()), largest
    frozen = {".".join(name.split(".")[:3]) for name, p in network.named_parameters() if not p.requires_grad}
    assert frozen == {
        "prompt_encoder.point_embeddings.0",
        "prompt_encoder.point_embeddings.2",
        "prompt_encoder.point_embeddings.3",
        *(f"prompt_encoder.mask_downscaling.{layer}" for layer in (0, 1, 3, 4, 6)),
        "mask_decoder.iou_prediction_head.layers",
        *(f"mask_decoder.output_hypernetworks_mlps.{k}" for k in (1, 2, 3)),
    }


def test_invalid_arguments_are_errors_with_a_hint() -> None:
    """Missing or misshaped points, wrong counts and unknown label planes are ValueErrors."""
    network = PromptableSAM(in_channels=1, num_labels=2, input_size=(64, 64), **SIZES)
    image_BCHW = torch.rand(1, 1, 64, 64)
    with pytest.raises(ValueError, match="points="):
        network(image_BCHW)
    with pytest.raises(ValueError, match=r"2 image\(s\), but 1"):
        network(image_BCHW, points=[points_of(), points_of()])
    with pytest.raises(ValueError, match="N x 3"):
        network(image_BCHW, points=[torch.zeros(1, 2)])
    with pytest.raises(ValueError, match="0 to 1"):
        network(image_BCHW, points=[points_of((1, 1, 2))])
    with pytest.raises(ValueError, match="Resize or pad"):
        network(torch.rand(1, 1, 32, 64), points=[points_of()])
    with pytest.raises(ValueError, match="multiple of 16"):
        PromptableSAM(input_size=(64, 64), **{**SIZES, "out_chans": 24})
    with pytest.raises(ValueError, match="1 or 3"):
        PromptableSAM(in_channels=2, input_size=(64, 64), **SIZES)


def test_a_published_file_fills_every_part(vit_b: Sam, tmp_path) -> None:
    """All tensors come from a SAM ViT-B file; positions are interpolated for a smaller frame."""
    path = tmp_path / "sam_vit_b.pth"
    torch.save(vit_b.state_dict(), path)
    ours = PromptableSAM(in_channels=1, input_size=(128, 96))
    report = load_pretrained(ours, path)
    path.unlink()
    given, state = vit_b.state_dict(), ours.state_dict()
    assert (report.num_loaded, report.left_out) == (len(given), ())
    # Positions of the image, and on both axes of the four global blocks.
    assert len(report.resized) == 1 + 2 * 4
    assert all(torch.equal(state[name], given[name]) for name in given if name not in report.resized)


def test_files_of_another_size_are_refused_and_change_nothing(tmp_path) -> None:
    """A narrower SAM and a file without mask decoder are errors; no tensor is changed."""
    path = tmp_path / "sam.pth"
    ours = PromptableSAM(in_channels=1, input_size=(96, 96), **SIZES)
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    state = small_sam().state_dict()
    torch.save({name: value for name, value in state.items() if "mask_tokens" not in name}, path)
    with pytest.raises(CheckpointError, match=r"mask_decoder\.mask_tokens\.weight is missing"):
        load_pretrained(ours, path)
    torch.save({name: value[..., :8] for name, value in state.items()}, path)
    with pytest.raises(CheckpointError, match="do not fit this encoder"):
        load_pretrained(ours, path)
    assert all(torch.equal(value, before[name]) for name, value in ours.state_dict().items())


def test_round_trip_is_bit_equal(tmp_path) -> None:
    """A network that is saved, read and rebuilt gives bit-identical logits."""
    arguments = {"in_channels": 1, "num_labels": 2, "input_size": (96, 64), **SIZES}
    spec = NetworkSpec(name="promptable_sam", arguments=arguments)
    network = build_network(spec).eval()
    made = Checkpoint(model=described(spec), state_dict=network.state_dict(), epoch=0, dice=None)
    write_checkpoint(tmp_path / "checkpoint_best.pt", made)
    again = network_from_checkpoint(read_checkpoint(tmp_path / "checkpoint_best.pt"))
    image_BCHW, points = torch.rand(2, 1, 96, 64), [points_of((9, 9, 1)), points_of((60, 90, 0))]
    with torch.no_grad():
        assert torch.equal(again(image_BCHW, points=points), network(image_BCHW, points=points))
    assert again.takes_points
