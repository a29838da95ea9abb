"""What the training of a fold starts with: first weights, teacher, batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cervseg.core.errors import DatasetError, PlanError
from cervseg.core.folders import FoldFolder
from cervseg.core.log import Log
from cervseg.crossval.run import CrossValidation
from cervseg.networks.checkpoint import read_checkpoint
from cervseg.networks.weights import load_pretrained
from cervseg.preprocessing.store import CaseStore
from cervseg.training.data import BatchPlan, FrameSource
from cervseg.training.distillation import Teacher

FRAMES_SHARE = 0.25  # of the memory, for the frames of images; half of it for a teacher's


def first_weights(
    job: CrossValidation, network: torch.nn.Module, folder: FoldFolder, *, log: Log
) -> dict[str, str | None]:
    """Load the first weights of a fresh network.

    Args:
        job: the model.
        network: changed in place.
        folder: of the fold; where training resumes from a checkpoint there, nothing is loaded.
        log: called with each message.

    Returns:
        Part of the network -> source of its weights; None for random weights.

    Raises:
        CheckpointError: a file of weights is missing or does not fit.
    """
    if folder.latest.is_file() and not job.options.restart:
        return dict(read_checkpoint(folder.latest).model.run.started_from)
    weights = job.initial_weights()
    started = dict(
        job.trainer.start(network, job.plan, pretrained=weights is None and not job.options.from_scratch)
    )
    if weights is not None:
        report = load_pretrained(network, weights)
        # The file replaces random weights; constant parts (a text) keep their source.
        constant = {part: source for part, source in started.items() if source is not None}
        started = {"network": str(report), **constant}
    for part, source in started.items():
        log(f"{part}: {source or 'random weights'}")
    return started or {"network": None}


def find_teacher(job: CrossValidation, fold: str, *, device: torch.device, log: Log) -> Teacher | None:
    """Load the teacher of a fold; None where no teacher is asked for.

    Args:
        job: the model.
        fold: a number or "all".
        device: for the teacher's networks.
        log: called with each message.

    Raises:
        PlanError: the teacher does not fit, or is the model itself.
        DatasetError: the variant that the teacher was trained on is not prepared.
        CheckpointError: the teacher has no trained fold, or a checkpoint is broken.
    """
    model, (train_ids, val_ids) = job.options.teacher, job.split(fold)
    if model is None:
        return None
    if model.resolve() == job.model.path.resolve():
        raise PlanError("a model cannot teach itself", where=model, hint="Move the teacher elsewhere first")
    teacher = Teacher.from_folder(
        model.resolve(),
        dataset=job.plan.dataset,
        fold=fold,
        validated=val_ids,
        weight=job.configuration.hyperparameters.distill_weight,
        device=device,
    )
    store = CaseStore(folder=job.workspace.preprocessed(job.name) / teacher.variant)
    if not set(train_ids) <= {*store.cases(), *store.copies()}:
        raise DatasetError(
            f"the variant of the teacher, {teacher.variant}, lacks images",
            where=store.folder,
            hint=f"Run cervseg_plan_and_preprocess --variants {teacher.variant}",
        )
    log(f"teacher: {teacher.name}")
    return teacher


def training_batches(job: CrossValidation, cases: Sequence[str], *, teacher: Teacher | None) -> BatchPlan:
    """Return shuffled, augmented batches; frames are kept in up to a quarter of the memory.

    Args:
        job: the model.
        cases: ids of the cases to train on.
        teacher: also sees the images, in its own frame.

    Raises:
        PlanError: there is a teacher, and the trainer has transforms of its own.
    """
    transforms = tuple(job.trainer.transforms(job.plan))
    if teacher is not None and transforms:
        raise PlanError(
            "a trainer with transforms of its own cannot learn from a teacher",
            where=job.trainer_name,
            hint="Leave --teacher out: the teacher would see an image that was not moved",
        )
    hyper = job.configuration.hyperparameters
    source = FrameSource(
        job.store,
        configuration=job.configuration,
        labels=job.plan.dataset.trained,
        memory_bytes=job.share_of_memory(FRAMES_SHARE),
    )
    view = None
    if teacher is not None:
        view = FrameSource(
            CaseStore(folder=job.workspace.preprocessed(job.name) / teacher.variant),
            configuration=teacher.configuration,
            labels=job.plan.dataset.trained,
            memory_bytes=job.share_of_memory(FRAMES_SHARE / 2),
        )
    return BatchPlan(
        source=source,
        cases=cases,
        batch_size=hyper.batch_size,
        num_workers=hyper.num_workers,
        ranges=job.configuration.augmentation,
        transforms=transforms,
        seed=hyper.seed,
        teacher=view,
    )
