"""Train, predict and score one model of a study; finished steps are skipped."""

from __future__ import annotations

import statistics
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.log import Log
from cervseg.core.study import StudyModel, StudyModelResult
from cervseg.evaluation.summary import combine_folds, read_summary, write_summary
from cervseg.networks.base import num_parameters
from cervseg.networks.checkpoint import network_from_checkpoint, read_checkpoint
from cervseg.pipeline.evaluate import evaluate
from cervseg.pipeline.predict import predict
from cervseg.pipeline.train import train
from cervseg.study.job import StudyJob
from cervseg.study.paper import title_of


def train_model(job: StudyJob, model: StudyModel, *, max_time_s: float | None, log: Log) -> None:
    """Train the folds that are not finished.

    Args:
        job: the study.
        model: one of its models.
        max_time_s: time limit for all of these folds together; None is no limit.
        log: called with each message.
    """
    folds = job.untrained(model)
    if not folds:
        return
    train(
        job.name,
        model.trainer,
        workspace=job.workspace,
        folds=folds,
        variant=model.variant,
        settings=job.settings(model),
        max_time_s=max_time_s,
        device=job.options.device,
        from_scratch=job.options.from_scratch,
        log=log,
    )


def score_model(job: StudyJob, model: StudyModel, *, log: Log) -> None:
    """Predict the study's images and score them, unless the scores are up to date.

    Test images are predicted as by cervseg_predict: with CLAHE for a model of that variant, never augmented.

    Args:
        job: the study.
        model: one of its models, trained.
        log: called with each message.

    Raises:
        DatasetError: an image could not be predicted, or has no reference mask.
    """
    if job.is_scored(model):
        return
    if job.scored_on == "folds":
        folds = [read_summary(fold.summary) for fold in job.fold_folders(model)]
        write_summary(job.summary(model), combine_folds(folds))
        return
    if not job.predictions(model):
        _predict_test_images(job, model, log=log)
    masks = job.masks(model)[0]
    evaluation = evaluate(
        masks.path,
        job.raw / job.references,
        output=job.summary(model),
        labels=job.plan.dataset.foreground,
    )
    if not evaluation.is_complete:
        job.summary(model).unlink()
        raise DatasetError("not every image could be scored", where=masks.path)


def result_of(job: StudyJob, model: StudyModel) -> StudyModelResult:
    """Collect the result of a model that is trained and scored."""
    records = job.predictions(model)
    times = [record.image_s for record in records if record.image_s is not None]
    network = network_from_checkpoint(read_checkpoint(job.checkpoints(model)[0]))
    oracle_points = read_summary(job.summary(model)).oracle_prompts
    return StudyModelResult(
        model=model,
        title=title_of(model.trainer, oracle_points=oracle_points),
        folder=_relative(job, job.model_folder(model).path),
        summary=_relative(job, job.summary(model)),
        predictions=tuple(_relative(job, folder.path) for folder in job.masks(model)),
        oracle_points=oracle_points,
        num_parameters=num_parameters(network),
        train_s=job.train_s(model),
        image_s=statistics.fmean(times) if times else None,
        device=records[0].device,
        folds=job.folds,
    )


def _predict_test_images(job: StudyJob, model: StudyModel, *, log: Log) -> None:
    report = predict(
        job.raw / job.images,
        job.masks(model)[0].path,
        model=job.model_folder(model).path,
        folds=job.folds,
        device=job.options.device,
        save_probabilities=True,
        prompts_from=job.raw / job.references if job.takes_points(model) else None,
        log=log,
    )
    if report.failed:
        raise DatasetError(f"{len(report.failed)} image(s) could not be predicted: {report.failed[0][1]}")


def _relative(job: StudyJob, path: Path) -> str:
    return path.relative_to(job.results).as_posix()
