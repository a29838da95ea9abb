"""One cell of a study: trained, predicted, scored; what is there already is kept."""

from __future__ import annotations

import statistics
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.log import Log
from cervseg.core.study import TEST, Cell, CellResult
from cervseg.evaluation.summary import combine_folds, read_summary, write_summary
from cervseg.networks.base import num_parameters
from cervseg.networks.checkpoint import network_from_checkpoint, read_checkpoint
from cervseg.pipeline.evaluate import evaluate
from cervseg.pipeline.predict import predict
from cervseg.pipeline.train import train
from cervseg.study.job import StudyJob
from cervseg.study.paper import title_of


def train_cell(job: StudyJob, cell: Cell, *, max_time_s: float | None, log: Log) -> None:
    """Train the folds that are not finished, inside ``max_time_s``."""
    folds = job.untrained(cell)
    if not folds:
        return
    train(
        job.name,
        cell.trainer,
        workspace=job.workspace,
        folds=folds,
        variant=cell.variant,
        settings=job.settings(cell),
        max_time_s=max_time_s,
        device=job.options.device,
        from_scratch=job.options.from_scratch,
        log=log,
    )


def score_cell(job: StudyJob, cell: Cell, *, log: Log) -> None:
    """Predict the study's images and score them, unless that is done.

    Test images are treated as any prediction treats them: CLAHE for a model of that variant, never turned.

    Raises:
        DatasetError: an image could not be predicted, or has no mask to be scored against.
    """
    if job.is_scored(cell):
        return
    summary = job.summary(cell)
    if job.scored_on != TEST:
        folds = [read_summary(fold.summary) for fold in job.fold_folders(cell)]
        write_summary(summary, combine_folds(folds))
        return
    raw, masks = job.workspace.raw(job.name), job.masks(cell)[0]
    references = raw / job.references
    if not job.predictions(cell):
        report = predict(
            raw / job.images,
            masks.path,
            model=job.model(cell).path,
            folds=job.folds,
            device=job.options.device,
            save_probabilities=True,
            prompts_from=references if job.takes_points(cell) else None,
            log=log,
        )
        if report.failed:
            raise DatasetError(f"{len(report.failed)} image(s) could not be predicted: {report.failed[0][1]}")
    evaluation = evaluate(masks.path, references, output=summary, labels=job.plan.dataset.foreground)
    if not evaluation.is_complete:
        summary.unlink()
        raise DatasetError("not every image could be scored", where=masks.path)


def result_of(job: StudyJob, cell: Cell) -> CellResult:
    """What is known of a cell that is trained and scored."""
    records = job.predictions(cell)
    times = [record.image_s for record in records if record.image_s is not None]
    summary = read_summary(job.summary(cell))
    network = network_from_checkpoint(read_checkpoint(job.checkpoints(cell)[0]))
    return CellResult(
        cell=cell,
        title=title_of(cell.trainer, oracle=summary.oracle_prompts),
        model=_below(job, job.model(cell).path),
        summary=_below(job, job.summary(cell)),
        predictions=tuple(_below(job, folder.path) for folder in job.masks(cell)),
        prompts=summary.prompts,
        num_parameters=num_parameters(network),
        train_s=job.train_s(cell),
        image_s=statistics.fmean(times) if times else None,
        device=records[0].device,
        folds=job.folds,
    )


def _below(job: StudyJob, path: Path) -> str:
    return path.relative_to(job.workspace.results / job.name).as_posix()
