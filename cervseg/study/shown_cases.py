"""The typical images of a study, with the predictions of its systems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cervseg.core.folders import PredictionFolder
from cervseg.core.scores import MetricValues, Summary
from cervseg.core.study import StudyModelResult
from cervseg.core.types import Case
from cervseg.dataset.labels import keep_labels
from cervseg.figures.cases import ShownCase, typical_cases
from cervseg.imageio import read_image, read_mask
from cervseg.study.job import StudyJob
from cervseg.study.scores import Scores


def read_shown_cases(
    job: StudyJob, scores: Scores, systems: Sequence[StudyModelResult], shown: StudyModelResult
) -> list[ShownCase]:
    """Read the best, the median and the worst image of a model.

    Args:
        job: the study.
        scores: its scores.
        systems: the models whose predictions are read.
        shown: the model that the images are chosen by.

    Returns:
        At most three cases; none if the model has no defined Dice.
    """
    cases = {case.id: case for case in job.cases()}
    return [
        _read(job, scores, systems, cases[case], remark)
        for remark, case in typical_cases(scores.summaries[shown.summary]).items()
        if case in cases
    ]


def _read(
    job: StudyJob, scores: Scores, systems: Sequence[StudyModelResult], case: Case, remark: str
) -> ShownCase:
    assert case.mask is not None
    masks = {r.title: _mask_file(job.results, r, case.id) for r in systems}
    probabilities = {
        title: np.load(path.with_suffix(".npz"))["probabilities"]
        for title, path in masks.items()
        if path.with_suffix(".npz").is_file()
    }
    labels = job.plan.dataset.foreground
    return ShownCase(
        case=case.id,
        image=read_image(case.images[0]).pixels[0],
        reference=keep_labels(read_mask(case.mask), labels),
        predictions={title: read_mask(path) for title, path in masks.items()},
        metrics={r.title: _mean_metrics(scores.summaries[r.summary], case.id) for r in systems},
        probabilities=probabilities,
        labels=tuple(sorted(labels.values())),
        remark=remark,
    )


def _mask_file(results: Path, result: StudyModelResult, case: str) -> Path:
    masks = [PredictionFolder(results / folder).mask(case) for folder in result.predictions]
    return next(path for path in masks if path.is_file())


def _mean_metrics(summary: Summary, case: str) -> MetricValues:
    """Average each metric of one case over the labels that define it."""
    metrics = next(score for score in summary.scores if score.case == case).metrics.values()
    names = dict.fromkeys(name for found in metrics for name in found)
    means: MetricValues = {}
    for name in names:
        values = [value for found in metrics if (value := found.get(name)) is not None]
        means[name] = sum(values) / len(values) if values else None
    return means
