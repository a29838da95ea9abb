"""Estimated training time of a study."""

from __future__ import annotations

from dataclasses import dataclass

from cervseg.core.errors import CervsegError, one_line
from cervseg.core.study import StudyModel
from cervseg.dataset.splits import read_folds
from cervseg.planning.cost import pass_seconds
from cervseg.preprocessing.variants import AUGMENTED
from cervseg.study.job import StudyJob
from cervseg.trainers.catalogue import set_up

VALIDATION_S_PER_IMAGE = 0.3


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The training that a model of a study still needs.

    Args:
        model: the model.
        folds: folds to train.
        seconds: estimated time, validation included. None if the model cannot be trained, or on a GPU before
            another seed is trained.
        source: source of the estimate: "another seed" or "the plan" (within a factor of two); the reason if
            the model cannot be trained; else empty.
    """

    model: StudyModel
    folds: tuple[str, ...]
    seconds: float | None
    source: str


def forecast(job: StudyJob) -> list[Forecast]:
    """Estimate the remaining training time of every model, in the order of the study."""
    return [_of_model(job, model) for model in job.models]


def _of_model(job: StudyJob, model: StudyModel) -> Forecast:
    folds = tuple(job.untrained(model))
    if not folds:
        return Forecast(model=model, folds=(), seconds=0.0, source="")
    twins = [
        StudyModel(trainer=model.trainer, variant=model.variant, seed=seed)
        for seed in job.options.seeds
        if seed != model.seed
    ]
    done = [job.train_s(twin) for twin in twins if not job.untrained(twin)]
    if done:
        seconds = sum(done) / len(done) * len(folds) / len(job.folds)
        return Forecast(model=model, folds=folds, seconds=seconds, source="another seed")
    if job.plan.hardware.accelerator != "cpu":
        return Forecast(model=model, folds=folds, seconds=None, source="")
    try:
        seconds = sum(_planned_s(job, model, fold) for fold in folds)
    except CervsegError as problem:
        reason = f"cannot be trained: {one_line(problem)}"
        return Forecast(model=model, folds=folds, seconds=None, source=reason)
    return Forecast(model=model, folds=folds, seconds=seconds, source="the plan")


def _planned_s(job: StudyJob, model: StudyModel, fold: str) -> float:
    trainer, plan = set_up(model.trainer, job.plan, settings=job.settings(model))
    configuration = trainer.configured(plan)
    hyper = configuration.hyperparameters
    num_train, num_val = plan.dataset.num_training, 0
    if fold != "all":
        split = read_folds(job.workspace.preprocessed(job.name) / "splits_final.json")[int(fold)]
        num_train, num_val = len(split.train), len(split.val)
    if model.variant == AUGMENTED:
        num_train *= 2
    image_s = pass_seconds(
        family=configuration.name,
        network={**configuration.network, **trainer.network_spec(plan).arguments},
        input_size=configuration.input_size,
        cores=plan.hardware.num_cores,
        precision=hyper.precision,
    )
    return hyper.epochs * (num_train * image_s + num_val * image_s / 3) + num_val * VALIDATION_S_PER_IMAGE
