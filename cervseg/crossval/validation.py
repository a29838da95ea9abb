"""Validation of trained folds: their validation images, predicted and scored at their own size."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from cervseg.core.errors import DatasetError
from cervseg.core.log import Log
from cervseg.crossval.run import CrossValidation
from cervseg.evaluation.evaluate import evaluate_folders
from cervseg.evaluation.summary import combine_folds, read_summary, write_summary
from cervseg.inference.inputs import ImageJob
from cervseg.inference.predictor import Predictor
from cervseg.inference.prompts import MaskFolder
from cervseg.inference.run_record import RunRecord
from cervseg.inference.stream import StreamOptions, predict_stream
from cervseg.tables.scores import score_table
from cervseg.training.engine import FoldRun
from cervseg.training.precision import autocast


def validate_fold(job: CrossValidation, fold: str, *, log: Log) -> None:
    """Predict the validation images of a fold with its best checkpoint and score them at their own size.

    Args:
        job: the model.
        fold: a number; "all" has no validation images.
        log: called with each message.

    Raises:
        DatasetError: an image cannot be predicted.
        CheckpointError: the fold has no checkpoint, or it is broken.
    """
    folder = job.folder(fold)
    cases = [job.cases[case] for case in job.split(fold)[1]]
    predictor = Predictor.from_files([folder.best], device=job.options.device)
    references, prompts = job.workspace.raw(job.name) / "labelsTr", None
    if predictor.takes_points:  # points from the references; the scores record it
        prompts = MaskFolder.read(
            references, labels=job.plan.dataset.foreground, ignored=job.plan.dataset.auxiliary_values
        )
    images = [ImageJob(images=case.images, mask=folder.validation.mask(case.id)) for case in cases]
    report = predict_stream(predictor, images, options=StreamOptions(probabilities=False, prompts=prompts))
    if report.failed:
        raise DatasetError(f"{len(report.failed)} validation image(s) failed: {report.failed[0][1]}")
    source = None if prompts is None else prompts.source.scored_against(references)
    record = RunRecord.make(
        [folder.best],
        tta=False,
        precision=predictor.precision,
        device=str(predictor.device),
        save_probabilities=False,
        prompts=source,
    )
    record.end(folder.validation.path, failed=[], image_s=report.image_s)
    evaluation = evaluate_folders(
        predictions=folder.validation.path,
        references=references,
        labels=job.plan.dataset.foreground,
        workers=1,
        probabilities=None,
        spacing_mm={case.id: mm for case in cases if (mm := job.store.record(case.id).spacing_mm)},
        only={case.id for case in cases},
        prompts="" if source is None else source.sentence,
        oracle_prompts=source is not None and source.is_oracle,
        progress=True,
    )
    write_summary(folder.summary, evaluation.summary)
    log(f"fold {fold}: best checkpoint on {len(cases)} validation images at their own size:")
    log(score_table(evaluation.summary))


def summarize_folds(job: CrossValidation, *, log: Log) -> None:
    """Write crossval_summary.json over the finished folds.

    Args:
        job: the model.
        log: called with each message.
    """
    done = [str(k) for k in range(len(job.folds)) if job.status(str(k)).is_finished]
    summaries = [read_summary(job.folder(fold).summary) for fold in done]
    if summaries:
        combined = combine_folds(summaries)
        write_summary(job.model.crossval_summary, combined)
        if len(summaries) > 1:
            log(f"{len(summaries)} of {len(job.folds)} folds together:")
            log(score_table(combined))


@torch.no_grad()
def validation_time_s(run: FoldRun, *, num_images: int) -> float:
    """Estimate the seconds of :func:`validate_fold` from a forward pass of one image.

    Args:
        run: the training; its network is left in evaluation mode.
        num_images: images to validate.
    """
    if not num_images:
        return 0.0
    run.network.eval()  # normalization statistics must not change
    single = replace(run.training, batch_size=1, ranges=None, teacher=None)
    batch = next(iter(single.epoch(0))).to(run.device)
    for _ in range(2):  # the first pass is slower
        started_s = time.monotonic()
        with autocast(run.device, run.hyper.precision):
            run.trainer.logits(run.network, batch)
    return 10.0 + 1.3 * num_images * (time.monotonic() - started_s + 0.15)
