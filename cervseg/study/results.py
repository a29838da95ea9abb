"""The result files of a study."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cervseg.core.atomic import atomic_path
from cervseg.core.comparison import Estimate
from cervseg.core.jsonio import write_json
from cervseg.core.log import Log
from cervseg.core.study import Study
from cervseg.evaluation.statistics import case_values
from cervseg.report.write import write_report
from cervseg.study.figures import draw_figures
from cervseg.study.job import StudyJob
from cervseg.study.paper import PUBLISHED
from cervseg.study.scores import Scores
from cervseg.study.tables import make_tables
from cervseg.tables.comparisons import overall_table, pair_table
from cervseg.tables.formats import write_tables


def write_results(job: StudyJob, study: Study, *, log: Log) -> None:
    """Write tables, scores, statistics, figures and report.html into the study's folder.

    Args:
        job: the study.
        study: its finished models.
        log: called with the tables as text, and with each figure that could not be drawn.
    """
    scores = Scores.read(study, job.results)
    estimates = scores.estimates()
    write_json(job.folder.path / "scores.json", _numbers(estimates))
    with atomic_path(job.folder.path / "scores.csv") as temporary:
        temporary.write_text(_cases(scores), encoding="utf-8")
    comparisons = scores.comparisons()
    tables = make_tables(study, estimates)
    if comparisons:
        tables += [overall_table(comparisons), pair_table(comparisons)]
    write_tables(tables, job.folder.path)
    write_json(job.folder.path / "comparisons.json", comparisons)
    draw_figures(job, scores, estimates, log=log)
    write_report(job.folder.path)
    log((job.folder.path / "tables.md").read_text(encoding="utf-8"))


def _numbers(estimates: Mapping[tuple[str, str], Mapping[str, Estimate]]) -> list[dict[str, Any]]:
    """Return one row per trainer, variant and metric."""
    return [
        {
            "trainer": trainer,
            "variant": variant,
            "metric": metric,
            **asdict(found),
            "published": PUBLISHED.get(variant, {}).get(trainer, {}).get(metric),
        }
        for (trainer, variant), metrics in estimates.items()
        for metric, found in metrics.items()
    ]


def _cases(scores: Scores) -> str:
    """Return CSV with one row per model and case; undefined values are empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("trainer", "variant", "seed", "case", *scores.metrics))
    for result in scores.study.models:
        model, summary = result.model, scores.summaries[result.summary]
        values = [case_values(summary, metric) for metric in scores.metrics]
        for case in values[0]:
            row = ("" if (value := found[case]) is None else value for found in values)
            writer.writerow((model.trainer, model.variant, model.seed, case, *row))
    return stream.getvalue()
