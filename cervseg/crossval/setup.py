"""What a fold begins with: its first weights, its teacher, its batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cervseg.core.errors import DatasetError, PlanError
from cervseg.core.log import Log
from cervseg.core.paths import FoldFolder
from cervseg.crossval.run import CrossValidation
from cervseg.networks.weights import load_pretrained, read_checkpoint
from cervseg.preprocessing.store import CaseStore
from cervseg.training.data import BatchPlan, FrameSource
from cervseg.training.distillation import Teacher
from cervseg.training.trainer import RANDOM

FRAMES_SHARE = 0.25  # of the memory, for frames of images; half as much for a teacher's


def first_weights(
    job: CrossValidation, network: torch.nn.Module, folder: FoldFolder, *, log: Log
) -> dict[str, str]:
    """Give a fresh network its first weights; returns what each part of it started from."""
    if folder.latest.is_file() and not job.options.restart:  # the loop goes on from there
        return dict(read_checkpoint(folder.latest)["run"]["started_from"])
    from_file = job.weights is not None
    started = dict(
        job.trainer.start(network, job.plan, pretrained=not (from_file or job.options.from_scratch))
    )
    if job.weights is not None:
        report = load_pretrained(network, job.weights)
        # What the file holds replaces random weights; what is always the same (a text) stays named.
        frozen = {part: source for part, source in started.items() if source != RANDOM}
        started = {"network": str(report), **frozen}
    for part, source in started.items():
        log(f"{part}: {source}")
    return started or {"network": RANDOM}


def find_teacher(job: CrossValidation, fold: str, *, device: torch.device, log: Log) -> Teacher | None:
    """Who teaches this fold; None where nobody is asked to."""
    model, (train_ids, val_ids) = job.options.teacher, job.split(fold)
    if model is None:
        return None
    if model.resolve() == job.model.path.resolve():
        raise PlanError("a model cannot teach itself", where=model, hint="Move the teacher elsewhere first.")
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
        raise DatasetError(f"the teacher's variant {teacher.variant} lacks images", hint="Prepare it again.")
    log(f"teacher: {teacher.name}")
    return teacher


def training_batches(job: CrossValidation, cases: Sequence[str], *, teacher: Teacher | None) -> BatchPlan:
    """Shuffled, augmented batches of these cases; frames stay in memory up to a quarter of it."""
    hyper = job.configuration.hyperparameters
    source = FrameSource(
        job.store,
        configuration=job.configuration,
        labels=job.plan.dataset.foreground,
        memory_bytes=job.share_of_memory(FRAMES_SHARE),
    )
    view = None
    if teacher is not None:
        view = FrameSource(
            CaseStore(folder=job.workspace.preprocessed(job.name) / teacher.variant),
            configuration=teacher.configuration,
            labels=job.plan.dataset.foreground,
            memory_bytes=job.share_of_memory(FRAMES_SHARE / 2),
        )
    return BatchPlan(
        source=source,
        cases=cases,
        batch_size=hyper.batch_size,
        num_workers=hyper.num_workers,
        ranges=job.configuration.augmentation,
        seed=hyper.seed,
        teacher=view,
    )
