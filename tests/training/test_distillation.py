from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cervseg.core.errors import CheckpointError, PlanError
from cervseg.core.geometry import place
from cervseg.core.types import Augmentation, DatasetDescription, NetworkSpec
from cervseg.networks.base import build_network
from cervseg.networks.checkpoint import ModelDescription
from cervseg.preprocessing.store import CaseStore
from cervseg.training.checkpoint import save_best
from cervseg.training.data import Batch, BatchPlan, FrameSource
from cervseg.training.distillation import TERM, Teacher, to_student
from cervseg.training.trainer import StepResult
from tests.checkpoints import described
from tests.training.tiny import (
    CPU,
    SIDE,
    SIZES,
    STILL,
    blob_store,
    configuration,
    hyper,
    run,
    state_of,
    tiny_network,
)

DATASET = DatasetDescription(
    name="Dataset001_Blobs",
    channel_names=("xray",),
    labels={"background": 0, "disc": 1},
    num_training=4,
    file_ending=".png",
)
WIDE = configuration(input_size=(96, 64), resize="stretch", normalization="unit")
MOVED = Augmentation(
    rotation_deg=20.0,
    scale=(0.8, 1.2),
    translation=0.1,
    gamma=(1.0, 1.0),
    contrast=(1.0, 1.0),
    brightness=0.0,
    noise=0.0,
    blur_px=0.0,
    probability=1.0,
)


class Constant(nn.Module):
    """The same logit everywhere."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        return self.logit.expand(len(image_BCHW), 1, *image_BCHW.shape[2:])


def model(**changes: Any) -> ModelDescription:
    spec = NetworkSpec(name="cervspinenet", arguments=SIZES)
    return described(spec, **{"configuration": configuration(), "dataset": DATASET, **changes})


def teacher_of(*networks: nn.Module, weight: float = 0.5) -> Teacher:
    return Teacher(networks, model=model(), name="model (fold_0)", weight=weight)


def shown_to(teacher: Any, folder: Path, *, ranges: Augmentation = STILL) -> BatchPlan:
    """Four images of 60 x 48 px for a student in a padded frame and a teacher of that configuration."""
    store = blob_store(folder, num=4)
    student = FrameSource(store, configuration=configuration(normalization="unit"), labels={"disc": 1})
    view = FrameSource(store, configuration=teacher, labels={"disc": 1})
    cases = [f"c{index}" for index in range(4)]
    return BatchPlan(source=student, cases=cases, batch_size=2, num_workers=1, ranges=ranges, teacher=view)


def test_planes_of_an_equal_frame_come_back_as_they_are() -> None:
    """Nothing is interpolated where there is nothing to do, and all of it is seen."""
    plane = torch.rand(2, 3, 16, 24)
    moved, seen = to_student(plane, torch.eye(3).expand(2, 3, 3), size=(16, 24))
    torch.testing.assert_close(moved, plane, atol=1e-5, rtol=0)
    assert bool((seen == 1).all())


@pytest.mark.parametrize(
    ("size", "resize"), [((24, 20), "stretch"), ((24, 20), "pad"), ((20, 40), "stretch")]
)
def test_planes_come_back_through_the_geometry(size: tuple[int, int], resize: str) -> None:
    """As OpenCV's affine warp has it, wherever the student's pixels lie in the teacher's frame."""
    image = (60, 48)
    to_teacher = (
        place(image_size=image, network_size=size, resize=resize).matrix_to_network
        @ place(image_size=image, network_size=(SIDE, SIDE), resize="pad").matrix_to_image
    )
    plane = np.random.default_rng(0).random(size, dtype=np.float32)
    expected = cv2.warpAffine(
        plane,
        to_teacher[:2],
        (SIDE, SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    moved, seen = to_student(
        torch.from_numpy(plane)[None, None],
        torch.from_numpy(to_teacher).float()[None],
        size=(SIDE, SIDE),
    )
    inside = seen[0, 0].numpy() > 0
    assert 0.5 < inside.mean() <= 1
    # OpenCV rounds positions to 1/32 px.
    np.testing.assert_allclose(moved[0, 0].numpy()[inside], expected[inside], atol=0.05)
    assert np.abs(moved[0, 0].numpy()[inside] - expected[inside]).mean() < 0.01


def test_a_much_larger_frame_is_averaged() -> None:
    """Each of the student's pixels is the mean of the nine of the teacher's that it covers."""
    plane = torch.rand(1, 1, 3 * SIDE, 3 * SIDE)
    to_teacher = torch.tensor([[3.0, 0, 1], [0, 3, 1], [0, 0, 1]])[None]
    moved, _ = to_student(plane, to_teacher, size=(SIDE, SIDE))
    torch.testing.assert_close(moved, functional.avg_pool2d(plane, 3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("ranges", [STILL, MOVED])
def test_a_teacher_sees_the_same_images_in_its_own_frame(tmp_path: Path, ranges: Augmentation) -> None:
    """Its view, mapped back, equals the student's image under rotation, scaling and translation."""
    batches, store = shown_to(WIDE, tmp_path, ranges=ranges), CaseStore(folder=tmp_path)
    for case in batches.cases:  # without noise, which the two frames average differently
        stored = store.read(case)
        smooth = cv2.GaussianBlur(stored.pixels[0], (0, 0), 4.0)
        store.write(stored.record, pixels=smooth[None], mask=stored.mask)
    batch = next(iter(batches.epoch(0)))
    assert batch.teacher_BCHW is not None
    assert batch.to_teacher_B33 is not None
    assert batch.teacher_BCHW.shape == (2, 1, 96, 64)
    back, seen = to_student(batch.teacher_BCHW, batch.to_teacher_B33, size=(SIDE, SIDE))
    error = (back - batch.image_BCHW).abs()[seen > 0]
    rotated = (back.rot90(2, (2, 3)) - batch.image_BCHW).abs()[seen > 0]
    assert 0.7 < seen.mean() <= 1  # the padded margins are not in the teacher's frame
    assert error.mean() < 0.004
    assert error.mean() < 0.1 * rotated.mean()


def test_a_teacher_sees_intensities_as_they_are(tmp_path: Path) -> None:
    """What makes images harder for the student does not blur what it is taught."""
    harder = replace(STILL, probability=1.0, rotation_deg=0.0, scale=(1.0, 1.0), translation=0.0)
    plain, hard = (
        {
            case: (image, view)
            for batch in shown_to(WIDE, tmp_path, ranges=ranges).epoch(0)
            for case, image, view in zip(batch.cases, batch.image_BCHW, batch.teacher_BCHW, strict=True)  # type: ignore[arg-type]
        }
        for ranges in (STILL, harder)
    )
    for case, (image, view) in plain.items():
        assert not torch.equal(hard[case][0], image)
        torch.testing.assert_close(hard[case][1], view, atol=0.02, rtol=0)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_loss_by_hand(tmp_path: Path, weight: float) -> None:
    """(1 - w) of every term and w of the cross-entropy with the mean of the teachers' probabilities."""
    batch = next(iter(shown_to(configuration(), tmp_path).epoch(0)))
    logits = torch.randn(2, 1, SIDE, SIDE, requires_grad=True)
    teacher = teacher_of(Constant(0.0), Constant(2.0), weight=weight)
    result = StepResult(terms={"dice": torch.tensor(0.4), "bce": torch.tensor(0.2)}, logits_BLHW=logits)
    terms = teacher.blend(result, batch)
    soft = torch.full_like(logits, (0.5 + float(torch.tensor(2.0).sigmoid())) / 2)
    expected = weight * functional.binary_cross_entropy_with_logits(logits, soft)
    assert list(terms) == ["dice", "bce", TERM]
    torch.testing.assert_close(terms["dice"], torch.tensor(0.4 * (1 - weight)))
    torch.testing.assert_close(terms[TERM], expected)
    terms[TERM].backward()
    assert logits.grad is not None
    assert bool(logits.grad.any()) == (weight > 0)


def test_what_a_teacher_does_not_see_teaches_nothing(tmp_path: Path) -> None:
    """A stretched frame ends with the image: a padded student's margins have no soft target."""
    batch = next(iter(shown_to(WIDE, tmp_path).epoch(0)))
    logits = torch.zeros(2, 1, SIDE, SIDE, requires_grad=True)
    teacher = teacher_of(Constant(3.0))
    terms = teacher.blend(StepResult(terms={}, logits_BLHW=logits), batch)
    terms[TERM].backward()
    assert logits.grad is not None
    margin = (SIDE - round(SIDE * 48 / 60)) // 2
    assert not logits.grad[..., :margin].any()
    assert bool(logits.grad[..., margin:-margin].all())
    # The mean is over what is seen: it does not shrink with the margins.
    expected = functional.binary_cross_entropy_with_logits(torch.zeros(1), torch.tensor([3.0]).sigmoid())
    torch.testing.assert_close(terms[TERM], 0.5 * expected, atol=1e-5, rtol=1e-5)


def test_a_trainer_that_cuts_its_logits_off_is_refused(tmp_path: Path) -> None:
    """Otherwise it would learn nothing from its teacher, and nobody would notice."""
    batch = next(iter(shown_to(configuration(), tmp_path).epoch(0)))
    result = StepResult(terms={}, logits_BLHW=torch.zeros(2, 1, SIDE, SIDE))
    with pytest.raises(PlanError, match="Leave --teacher out"):
        teacher_of(Constant(0.0)).blend(result, batch)


def test_a_student_learns_what_its_teacher_thinks(tmp_path: Path) -> None:
    """With w = 1 the masks count for nothing: the logits go to the teacher's; the teacher stays."""
    network, teacher = tiny_network(), teacher_of(Constant(1.5), weight=1.0)
    batches = shown_to(configuration(), tmp_path / "cache")
    settings = hyper(epochs=40, learning_rate=0.02)
    run(network, batches, tmp_path / "run", hyperparameters=settings, teacher=teacher)
    with torch.no_grad():
        logits = network.eval()(next(iter(batches.epoch(0))).image_BCHW)
    assert float((logits - 1.5).abs().mean()) < 0.3
    assert float(state_of(teacher.networks[0])["logit"]) == 1.5
    assert f'"{TERM}"' in (tmp_path / "run" / "log.jsonl").read_text()


def model_folder(folder: Path, *folds: str, **changes: Any) -> Path:
    """A trained model with these folds."""
    made = model(**changes)
    network = build_network(made.network)
    for fold in folds:
        (folder / f"fold_{fold}").mkdir(parents=True)
        path = folder / f"fold_{fold}" / "checkpoint_best.pt"
        save_best(path, made, network=network, epoch=0, dice=None)
    return folder


def from_folder(model: Path, *, fold: str, validated: tuple[str, ...] = ("c0",)) -> Teacher:
    return Teacher.from_folder(model, dataset=DATASET, fold=fold, validated=validated, weight=0.5, device=CPU)


def test_of_the_same_dataset_the_same_fold_teaches_alone(tmp_path: Path) -> None:
    """The others have learnt what the student is validated on; a fold without validation has all of them."""
    model = model_folder(tmp_path / "Dataset001_Blobs" / "T", "0", "1", "2", "all")
    assert from_folder(model, fold="1").name == "Dataset001_Blobs/T (fold_1)"
    assert len(from_folder(model, fold="1").networks) == 1
    assert len(from_folder(model, fold="all", validated=()).networks) == 3


def test_a_missing_fold_is_not_replaced_by_another(tmp_path: Path) -> None:
    """Neither by the other folds nor by the network that has seen everything."""
    model = model_folder(tmp_path, "0", "all")
    with pytest.raises(PlanError, match=r"(?s)no fold_1, .*Train the teacher's fold 1"):
        from_folder(model, fold="1")


def test_folds_that_have_changed_are_found_out(tmp_path: Path) -> None:
    """A teacher that was validated on other images may have learnt the student's."""
    model = model_folder(tmp_path, "0")
    (model / "fold_0" / "validation").mkdir()
    (model / "fold_0" / "validation" / "c0.png").touch()
    assert from_folder(model, fold="0", validated=("c0",)).networks
    with pytest.raises(PlanError, match="not validated on c3"):
        from_folder(model, fold="0", validated=("c0", "c3"))


def test_every_fold_of_another_dataset_teaches(tmp_path: Path) -> None:
    """It has seen other images."""
    other = replace(DATASET, name="Dataset002_Others")
    model = model_folder(tmp_path, "0", "1", "all", dataset=other)
    assert len(from_folder(model, fold="4").networks) == 2


def test_teachers_that_cannot_teach(tmp_path: Path) -> None:
    """Other labels, other channels, no trained fold: an error with a hint."""
    for name, change in (
        ("labels", {"labels": {"background": 0, "ring": 1}}),
        ("channels", {"channel_names": ("a", "b")}),
        ("planes", {"labels": {"background": 0, "disc": 1, "rib": 2}, "auxiliary": ("rib",)}),
    ):
        other = replace(DATASET, **change)  # type: ignore[arg-type]
        with pytest.raises(PlanError, match="same labels and channels"):
            from_folder(model_folder(tmp_path / name, "0", dataset=other), fold="0")
    with pytest.raises(CheckpointError, match="no trained fold"):
        from_folder(tmp_path / "nowhere", fold="0")


def test_a_teacher_never_changes(tmp_path: Path) -> None:
    """It is in evaluation mode and takes no gradients."""
    (network,) = from_folder(model_folder(tmp_path, "0"), fold="0").networks
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_batch_without_a_view_is_our_own_mistake() -> None:
    """The loop is given a teacher and batches for it, or neither."""
    batch = Batch(image_BCHW=torch.zeros(1, 1, 4, 4), target_BLHW=torch.zeros(1, 1, 4, 4), cases=("c",))
    with pytest.raises(AssertionError):
        teacher_of(Constant(0.0)).soft_target(batch)
