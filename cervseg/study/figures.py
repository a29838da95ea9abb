"""The figures of a study: Figs. 4 to 9 of the paper, and what models cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cervseg.core.comparison import Estimate
from cervseg.core.jsonio import write_json
from cervseg.core.scores import MetricValues, Summary
from cervseg.core.study import CellResult
from cervseg.core.types import Case
from cervseg.dataset.description import list_cases
from cervseg.figures.annotation_time import read_manual_times, time_figure
from cervseg.figures.cases import ShownCase, error_maps, qualitative_panel, telling_cases
from cervseg.figures.distributions import cost_figure, distribution_figure
from cervseg.imageio import read_image, read_mask
from cervseg.pipeline.explain import explain
from cervseg.study.job import StudyJob
from cervseg.study.scores import Scores

MAIN = "CervSpineNetTrainer"  # whose best, median and worst images are shown, where it is in the study
SPREAD = ("Dice", "HD95_missed_as_diagonal")


def draw_figures(
    job: StudyJob, scores: Scores, estimates: Mapping[tuple[str, str], Mapping[str, Estimate]]
) -> dict[str, str]:
    """Draw all figures into ``figures/``, PNG and SVG, with captions.json; returns name -> caption."""
    folder = job.folder.figures
    note = " ".join(scores.study.notes)
    captions: dict[str, str] = {}
    for metric in SPREAD:
        name = f"distribution_{metric}"
        distribution_figure(_spread(scores, metric), folder / name, metric=metric, note=note)
        captions[name] = f"How {metric} is spread over the images (Fig. 4)."
    first = scores.study.cells[0].cell
    shown_by = next((r for r in scores.study.cells if r.cell.trainer == MAIN), scores.study.cells[0])
    systems = [
        r for r in scores.study.cells if (r.cell.variant, r.cell.seed) == (shown_by.cell.variant, first.seed)
    ]
    cases = _telling(job, scores, systems, shown_by)
    if cases:
        where = f"{shown_by.title}, variant {shown_by.cell.variant}"
        qualitative_panel(cases, folder / "panel", note=note)
        captions["panel"] = (
            f"Best, median and worst image of {where}, and what every system made of it (Fig. 5)."
        )
        error_maps(cases, shown_by.title, folder / "errors", note=note)
        captions["errors"] = f"Where {where}, is wrong on these images (Figs. 6-7)."
    costs = [
        (r.title, mean, r.image_s, r.num_parameters)
        for r in systems
        if (mean := estimates[(r.cell.trainer, r.cell.variant)]["Dice"].mean) is not None
    ]
    if any(image_s is not None for _, _, image_s, _ in costs):
        cost_figure(costs, folder / "cost", note=note)
        captions["cost"] = f"Dice against time an image on {shown_by.device}; areas are parameters."
    if job.options.manual_times is not None:
        automatic = {r.title: r.image_s for r in systems if r.image_s is not None}
        time_figure(read_manual_times(job.options.manual_times), automatic, folder / "time", note=note)
        captions["time"] = "How long people and models take for an image (Fig. 9)."
    captions |= _explanations(job, shown_by, [shown.case for shown in cases], note=note)
    write_json(folder / "captions.json", captions)
    return captions


def _explanations(job: StudyJob, shown_by: CellResult, cases: Sequence[str], *, note: str) -> dict[str, str]:
    """What the model looked at on these images (Fig. 8)."""
    images = {case.id: case.images[0] for case in _images(job)}
    folder, model = job.folder.figures, job.workspace.results / job.name / shown_by.model
    references = job.workspace.raw(job.name) / job.references
    captions = {}
    for case in cases:
        failed = explain(
            images[case],
            folder,
            model=model,
            folds=[shown_by.folds[0]],
            device=job.options.device,
            prompts_from=references if shown_by.prompts else None,
            progress=False,
        )
        if failed:
            continue
        where = f"{shown_by.title}, variant {shown_by.cell.variant}"
        captions[case] = f"What {where}, looked at (Fig. 8): {case}. {note}"
    return captions


def _images(job: StudyJob) -> list[Case]:
    return list_cases(job.workspace.raw(job.name), job.plan.dataset, split=job.images[-2:])


def _spread(scores: Scores, metric: str) -> dict[str, dict[str, list[float | None]]]:
    found: dict[str, dict[str, list[float | None]]] = {}
    for trainer, variant in scores.pairs:
        values = list(scores.over_seeds(trainer, variant, metric).values())
        found.setdefault(variant, {})[scores.title(trainer, variant)] = values
    return found


def _telling(
    job: StudyJob, scores: Scores, systems: Sequence[CellResult], shown_by: CellResult
) -> list[ShownCase]:
    images = {case.id: case for case in _images(job)}
    wanted = telling_cases(scores.summaries[shown_by.summary])
    return [
        _shown(job, scores, systems, images[case], remark)
        for remark, case in wanted.items()
        if case in images
    ]


def _shown(
    job: StudyJob, scores: Scores, systems: Sequence[CellResult], case: Case, remark: str
) -> ShownCase:
    results = job.workspace.results / job.name
    assert case.mask is not None
    masks = {r.title: _mask_of(results, r, case.id) for r in systems}
    probabilities = {
        title: np.load(path.with_suffix(".npz"))["probabilities"]
        for title, path in masks.items()
        if path.with_suffix(".npz").is_file()
    }
    return ShownCase(
        case=case.id,
        image=read_image(case.images[0]).pixels[0],
        reference=read_mask(case.mask),
        predictions={title: read_mask(path) for title, path in masks.items()},
        metrics={r.title: _metrics(scores.summaries[r.summary], case.id) for r in systems},
        probabilities=probabilities,
        labels=tuple(sorted(job.plan.dataset.foreground.values())),
        remark=remark,
    )


def _mask_of(results: Path, result: CellResult, case: str) -> Path:
    found = [results / folder / f"{case}.png" for folder in result.predictions]
    return next(path for path in found if path.is_file())


def _metrics(summary: Summary, case: str) -> MetricValues:
    """Of one case, the mean over labels that define a metric."""
    metrics = next(score for score in summary.scores if score.case == case).metrics.values()
    names = dict.fromkeys(name for found in metrics for name in found)
    means: MetricValues = {}
    for name in names:
        values = [value for found in metrics if (value := found.get(name)) is not None]
        means[name] = sum(values) / len(values) if values else None
    return means
