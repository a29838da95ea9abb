"""The figures of a study: Figs. 4 to 9 of the paper, and the cost of the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cervseg.core.comparison import Estimate
from cervseg.core.errors import CervsegError, one_line
from cervseg.core.jsonio import write_json
from cervseg.core.log import Log
from cervseg.core.study import FigureList, StudyModelResult
from cervseg.figures.annotation_time import read_manual_times, time_figure
from cervseg.figures.cases import ShownCase
from cervseg.figures.cost import SystemCost, cost_figure
from cervseg.figures.distributions import distribution_figure
from cervseg.figures.error_maps import error_maps
from cervseg.figures.qualitative import qualitative_panel
from cervseg.figures.style import save_figure
from cervseg.pipeline.explain import explain
from cervseg.study.job import StudyJob
from cervseg.study.scores import Scores
from cervseg.study.shown_cases import read_shown_cases

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAIN_TRAINER = "CervSpineNetTrainer"  # its best, median and worst images are shown if it is in the study
SPREAD_METRICS = ("Dice", "HD95_missed_as_diagonal")

Estimates = Mapping[tuple[str, str], Mapping[str, Estimate]]  # (trainer, variant) -> metric -> estimate


def draw_figures(job: StudyJob, scores: Scores, estimates: Estimates, *, log: Log) -> FigureList:
    """Draw all figures into ``figures/`` as PNG and SVG, and write captions.json.

    Args:
        job: the study.
        scores: its scores.
        estimates: (trainer, variant) -> metric -> estimate.
        log: called with each figure that could not be drawn.

    Returns:
        The captions, and the figures that are missing.
    """
    drawing = _Drawing(job=job, scores=scores)
    for metric in SPREAD_METRICS:
        _draw_distribution(drawing, metric)
    cases = read_shown_cases(job, scores, drawing.systems, drawing.shown)
    if cases:
        _draw_cases(drawing, cases)
    _draw_cost(drawing, estimates)
    if job.options.manual_times is not None:
        times = read_manual_times(job.options.manual_times)
        automatic = {r.title: r.image_s for r in drawing.systems if r.image_s is not None}
        drawing.save("time", time_figure(times, automatic, note=drawing.note), "Time per image (Fig. 9).")
    _draw_explanations(drawing, [shown.case for shown in cases])
    for name, reason in drawing.missing.items():
        log(f"warning: no {name}: {reason}")
    figures = FigureList(captions=drawing.captions, missing=drawing.missing)
    write_json(job.folder.captions, figures)
    return figures


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """The study, and the figures that are drawn so far."""

    job: StudyJob
    scores: Scores
    captions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def note(self) -> str:
        return " ".join(self.scores.study.notes)

    @property
    def shown(self) -> StudyModelResult:
        """The model whose best, median and worst images are shown."""
        models = self.scores.study.models
        return next((r for r in models if r.model.trainer == MAIN_TRAINER), models[0])

    @property
    def shown_name(self) -> str:
        return f"{self.shown.title}, variant {self.shown.model.variant}"

    @property
    def systems(self) -> list[StudyModelResult]:
        """The models of the same variant and seed as the shown one."""
        key = (self.shown.model.variant, self.shown.model.seed)
        return [r for r in self.scores.study.models if (r.model.variant, r.model.seed) == key]

    def save(self, name: str, figure: Figure, caption: str) -> None:
        save_figure(figure, self.job.folder.figures / name)
        self.captions[name] = caption


def _draw_distribution(drawing: _Drawing, metric: str) -> None:
    scores = drawing.scores
    spread: dict[str, dict[str, list[float | None]]] = {}
    for trainer, variant in scores.pairs:
        values = list(scores.over_seeds(trainer, variant, metric).values())
        spread.setdefault(variant, {})[scores.title(trainer, variant)] = values
    figure = distribution_figure(spread, metric=metric, note=drawing.note)
    drawing.save(f"distribution_{metric}", figure, f"Spread of {metric} over the images (Fig. 4).")


def _draw_cases(drawing: _Drawing, cases: Sequence[ShownCase]) -> None:
    name = drawing.shown_name
    panel = qualitative_panel(cases, note=drawing.note)
    caption = f"Best, median and worst image of {name}, with the predictions of every system (Fig. 5)."
    drawing.save("panel", panel, caption)
    errors = error_maps(cases, drawing.shown.title, note=drawing.note)
    drawing.save("errors", errors, f"Errors of {name} on these images (Figs. 6-7).")


def _draw_cost(drawing: _Drawing, estimates: Estimates) -> None:
    costs = [
        SystemCost(system=r.title, dice=mean, image_s=r.image_s, num_parameters=r.num_parameters)
        for r in drawing.systems
        if (mean := estimates[(r.model.trainer, r.model.variant)]["Dice"].mean) is not None
        and r.image_s is not None
    ]
    if costs:
        caption = f"Dice against time per image on {drawing.shown.device}; areas are parameters."
        drawing.save("cost", cost_figure(costs, note=drawing.note), caption)


def _draw_explanations(drawing: _Drawing, cases: Sequence[str]) -> None:
    """Draw what the shown model's network attends to on these images (Fig. 8)."""
    job, shown = drawing.job, drawing.shown
    images = {case.id: case.images[0] for case in job.cases()}
    for case in cases:
        try:
            failed = explain(
                images[case],
                job.folder.figures,
                model=job.results / shown.folder,
                folds=[shown.folds[0]],
                device=job.options.device,
                prompts_from=job.raw / job.references if shown.oracle_points else None,
                progress=False,
            )
        except CervsegError as problem:
            failed = [(images[case], one_line(problem))]
        if failed:
            drawing.missing[f"explanation of {case}"] = failed[0][1]
        else:
            drawing.captions[case] = f"Explanation of {drawing.shown_name} (Fig. 8): {case}. {drawing.note}"
