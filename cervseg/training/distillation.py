"""Distillation (Hinton et al. 2015): the probabilities of a trained model as soft targets beside the masks.

loss = (1 - w) own loss + w BCE(logits, teacher's probabilities), w = ``distill_weight``. The teacher may be
any model: it sees the same images with the student's geometric augmentation, but in its own frame, at its own
resolution and with unchanged intensities. Its probabilities are mapped back to the student's frame.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from cervseg.core.errors import CheckpointError, PlanError
from cervseg.core.folders import FoldFolder, ModelFolder
from cervseg.core.types import DatasetDescription
from cervseg.networks.checkpoint import ModelDescription, network_from_checkpoint, read_checkpoint
from cervseg.training.data import Batch
from cervseg.training.trainer import StepResult

TERM = "distillation"


class Teacher:
    """Frozen trained networks; their probabilities are averaged.

    Args:
        networks: return logits B x L x H x W in their frame.
        model: what the networks are.
        name: of the model and its folds, for the checkpoints of the student.
        weight: of the distillation term, in [0, 1].
    """

    def __init__(
        self, networks: Sequence[nn.Module], *, model: ModelDescription, name: str, weight: float
    ) -> None:
        self.networks, self.name, self.weight = tuple(networks), name, weight
        self.configuration, self.variant = model.configuration, model.variant
        for network in self.networks:
            network.eval().requires_grad_(False)

    @classmethod
    def from_folder(
        cls,
        model: Path,
        *,
        dataset: DatasetDescription,
        fold: str,
        validated: Collection[str],
        weight: float,
        device: torch.device,
    ) -> Teacher:
        """Load the teacher of one fold.

        For a model of the same dataset that is the same fold alone, else every fold.

        Args:
            model: a model folder.
            dataset: of the student.
            fold: of the student; "all" has no validation set, so every fold may teach it.
            validated: the cases that the student is validated on.
            weight: of the distillation term, in [0, 1].
            device: for the networks.

        Returns:
            The teacher.

        Raises:
            PlanError: the model has other labels or channels, takes prompts, or was trained on cases that the
                student is validated on.
            CheckpointError: there is no trained fold, or a checkpoint is broken.
        """
        folder = ModelFolder(model)
        folds = folder.trained_folds()
        if not folds:
            raise CheckpointError(
                "no trained fold there", where=model, hint="Name a model folder that cervseg_train wrote"
            )
        taught = read_checkpoint(folds[0].best).model.dataset
        _check_dataset(taught, dataset, where=model)
        if taught.name == dataset.name and fold != "all":
            folds = [_same_fold(folder.fold(fold), validated=validated)]
        read = [read_checkpoint(taught_by.best) for taught_by in folds]
        networks = [network_from_checkpoint(checkpoint).to(device) for checkpoint in read]
        if any(getattr(network, "takes_points", False) for network in networks):
            raise PlanError("a model that takes prompts cannot teach", where=model, hint="Use another model")
        name = f"{model.parent.name}/{model.name} ({', '.join(taught_by.name for taught_by in folds)})"
        return cls(networks, model=read[0].model, name=name, weight=weight)

    def blend(self, result: StepResult, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the terms of a step, each times (1 - w), and the distillation term times w.

        Args:
            result: of the trainer's step.
            batch: the same batch.

        Raises:
            PlanError: the trainer's logits are detached from its network.
        """
        if not result.logits_BLHW.requires_grad:
            raise PlanError("this trainer cannot learn from a teacher", hint="Leave --teacher out")
        probability_BLHW, seen_B1HW = self.soft_target(batch)
        logits_BLHW = result.logits_BLHW.float()
        with torch.autocast(logits_BLHW.device.type, enabled=False):
            wrong_BLHW = functional.binary_cross_entropy_with_logits(
                logits_BLHW, probability_BLHW, weight=seen_B1HW.expand_as(logits_BLHW), reduction="none"
            )
            share = seen_B1HW.mean(dim=(1, 2, 3)).clamp_min(1e-6)
            term = (wrong_BLHW.mean(dim=(1, 2, 3)) / share).mean()
        own = {name: (1 - self.weight) * value for name, value in result.terms.items()}
        return {**own, TERM: self.weight * term}

    @torch.no_grad()
    def soft_target(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the teacher's mean probabilities in the student's frame.

        Args:
            batch: with the teacher's view of its images.

        Returns:
            Probabilities B x L x H x W float32, and a mask B x 1 x H x W float32: 1 inside the teacher's
            frame, 0 outside of it.
        """
        assert batch.teacher_BCHW is not None
        assert batch.to_teacher_B33 is not None
        each = [network(batch.teacher_BCHW).float().sigmoid() for network in self.networks]
        height, width = batch.image_BCHW.shape[2:]
        return to_student(torch.stack(each).mean(0), batch.to_teacher_B33, size=(height, width))


def to_student(
    plane_BLHW: torch.Tensor, to_teacher_B33: torch.Tensor, *, size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Resample planes from the teacher's frame to the student's.

    Args:
        plane_BLHW: float32, in the teacher's frame.
        to_teacher_B33: float32, maps points (x, y, 1) in px of the student's frame to the teacher's; scaling
            and shift.
        size: (height, width) of the student's frame.

    Returns:
        B x L x height x width, averaged by whole factors and then interpolated bilinearly, and
        B x 1 x height x width of {0, 1}: where the teacher's frame covers the student's.
    """
    height, width = plane_BLHW.shape[2:]
    before, after = torch.linalg.inv(_to_unit(size[1], size[0])), _to_unit(width, height)
    theta_B33 = after.to(to_teacher_B33) @ to_teacher_B33 @ before.to(to_teacher_B33)
    grid_BHW2 = functional.affine_grid(theta_B33[:, :2], [len(plane_BLHW), 1, *size], align_corners=False)
    factors = max(1, height // size[0]), max(1, width // size[1])
    if factors != (1, 1):  # the interpolation then scales by less than 2: no pixel is skipped
        smaller = (height // factors[0], width // factors[1])
        plane_BLHW = functional.interpolate(plane_BLHW, size=smaller, mode="area")
    moved_BLHW = functional.grid_sample(
        plane_BLHW, grid_BHW2, mode="bilinear", padding_mode="border", align_corners=False
    )
    seen_B1HW = (grid_BHW2.abs() <= 1).all(-1)[:, None].to(plane_BLHW.dtype)
    return moved_BLHW, seen_B1HW


def _to_unit(width: int, height: int) -> torch.Tensor:
    """Return the 3 x 3 matrix from px, pixel centres at whole numbers, to [-1, 1] from edge to edge."""
    return torch.tensor(
        [[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]], dtype=torch.float64
    )


def _check_dataset(taught: DatasetDescription, dataset: DatasetDescription, *, where: Path) -> None:
    if taught.trained != dataset.trained or len(taught.channel_names) != len(dataset.channel_names):
        raise PlanError(
            f"the teacher was trained on {_words(taught)}, this dataset has {_words(dataset)}",
            where=where,
            hint="Use a model with the same labels and channels; auxiliary labels count too",
        )


def _same_fold(folder: FoldFolder, *, validated: Collection[str]) -> FoldFolder:
    """Check that the teacher's fold of the same number was not trained on the cases in ``validated``."""
    name, model = folder.name, folder.model.path
    if not folder.best.is_file():
        raise PlanError(
            f"the teacher has no {name}, and its other folds were trained on this fold's validation cases",
            where=model,
            hint=f"Train the teacher's fold {folder.fold}, or this model's fold all, which is not validated",
        )
    held_out = {path.stem for path in folder.validation.path.glob("*.png")}
    trained_on = sorted(set(validated) - held_out)
    if held_out and trained_on:
        raise PlanError(
            f"the teacher's {name} was not validated on {trained_on[0]}, it may have been trained on it",
            where=model,
            hint="The folds have changed since: retrain the teacher",
        )
    return folder


def _words(dataset: DatasetDescription) -> str:
    return f"{', '.join(dataset.trained)} in {len(dataset.channel_names)} channel(s)"
