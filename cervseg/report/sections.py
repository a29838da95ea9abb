"""Sections that several reports share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from cervseg.core.errors import CervsegError
from cervseg.core.scores import Summary
from cervseg.core.types import Distribution, Plan
from cervseg.evaluation.definitions import definitions
from cervseg.evaluation.statistics import bootstrap_mean, case_values
from cervseg.figures.overlays import overlay
from cervseg.imageio import read_image, read_mask
from cervseg.metrics.table import METRICS, SHOWN_METRICS
from cervseg.planning.planfile import as_words, edited
from cervseg.planning.planner import value_of
from cervseg.report.claim import claim_rows
from cervseg.report.page import case_table, fact_list, folded, gallery, paragraph, plain_table

MAX_PICTURES = 48
Section = tuple[str, str]


def dataset_section(plan: Plan) -> Section:
    """What the dataset looks like."""
    found, dataset = plan.fingerprint, plan.dataset
    facts = {
        "dataset": dataset.name,
        "training images": found.num_cases,
        "labels": ", ".join(f"{name} ({value})" for name, value in dataset.foreground.items()),
        "height": _range(found.height_px),
        "width": _range(found.width_px),
        "bit depth": found.bit_depth,
        "pixel size": _spacing(plan),
        "empty masks": found.num_empty_masks,
        "groups": f"{len(set(dataset.groups.values()))} (patients), never split"
        if dataset.groups
        else "none given",
        "planned on": f"{plan.hardware.num_cores} cores, {plan.hardware.ram_gib:.0f} GiB, "
        f"{plan.hardware.accelerator_name or plan.hardware.accelerator}",
    }
    return "Dataset", fact_list(facts)


def plan_section(plan: Plan, configuration: str | None = None) -> Section:
    """Every decision of a configuration with its reason; of all configurations where none is named."""
    parts = [paragraph(f'Preset "{plan.preset}".')]
    changed = edited(plan)
    if changed:
        parts.append(paragraph(f"By hand: {'; '.join(changed)}.", kind="warning"))
    for name in [configuration] if configuration else list(plan.configurations):
        rows = [
            (
                key.partition(".")[2],
                as_words(value_of(plan.configurations[name], key.partition(".")[2])),
                d.reason,
            )
            for key, d in plan.decisions.items()
            if key.startswith(f"{name}.")
        ]
        table = plain_table(("rule", "value", "reason"), rows, title=name).replace(
            "<table>", "<table class=wide>"
        )
        parts.append(table if configuration else folded(name, table))
    return "Plan, with reasons", "".join(parts)


def score_section(summary: Summary) -> Section:
    """Means with intervals, what is undefined, missed and invented; then the definitions."""
    parts = []
    if summary.prompts:
        parts.append(paragraph(f"Prompts: {summary.prompts}.", kind="warning"))
    for name in summary.labels:
        rows = []
        for metric in [m for m in SHOWN_METRICS if m in summary.mean[name]]:
            values = list(case_values(summary, metric, label=name).values())
            mean, low, high = bootstrap_mean([value for value in values if value is not None])
            text = METRICS[metric].text
            interval = "-" if low is None else f"{text(low)} to {text(high)}"
            spread = summary.std[name].get(metric)
            rows.append(
                (
                    METRICS[metric].title,
                    text(mean),
                    "-" if spread is None else text(spread),
                    interval,
                    str(summary.undefined[name][metric]),
                )
            )
        note = f"{len(summary.scores)} cases; missed in {summary.missed[name]}, "
        note += f"invented in {summary.invented[name]}."
        columns = ("metric", "mean", "SD over cases", "95 % bootstrap interval", "undefined in")
        parts.append(plain_table(columns, rows, title=name, note=note))
    for what, cases in (
        ("could not be scored", [f"{case} ({why})" for case, why in summary.failed.items()]),
        ("have no prediction", summary.without_prediction),
    ):
        if cases:
            parts.append(paragraph(f"{len(cases)} case(s) {what}: {', '.join(cases)}.", kind="warning"))
    parts.append(folded("What the metrics mean", fact_list(definitions(summary))))
    return "Scores", "".join(parts)


def cases_section(summary: Summary) -> Section:
    """The table that sorts and filters; of several labels the mean over them."""
    metrics = [m for m in SHOWN_METRICS if any(m in found for found in summary.mean.values())]
    by_metric = {metric: case_values(summary, metric) for metric in metrics}
    rows = [
        (score.case, [by_metric[metric][score.case] for metric in metrics])
        for score in sorted(summary.scores, key=lambda score: score.case)
    ]
    note = "Click a heading to sort." + (" Mean over labels." if len(summary.labels) > 1 else "")
    return "Case by case", paragraph(note) + case_table(metrics, rows, metrics=metrics)


def pictures_section(
    summary: Summary, images: Mapping[str, Path], masks: Sequence[Path], references: Path
) -> Section:
    """Images with mask and reference, worst first; all of them where they are few."""
    dice = case_values(summary, "Dice")
    ordered = sorted(dice, key=lambda case: -1.0 if dice[case] is None else float(dice[case] or 0.0))
    chosen = _spread(ordered, MAX_PICTURES)
    names = {value: name for name, value in summary.labels.items()}
    pictures = gallery(
        _pictures(chosen, dice, images=images, masks=masks, references=references, names=names)
    )
    note = "Worst first; white: reference. Click to enlarge."
    if len(chosen) < len(ordered):
        note += f" {len(chosen)} of {len(ordered)}: the worst, the best, and some between."
    return "Images", paragraph(note) + pictures


def claim_section(known: Mapping[int, str]) -> Section:
    """The checklist as a draft."""
    table = plain_table(("item", "about", "what is known"), claim_rows(known))
    note = "A draft: what cervseg knows is filled in, the rest is yours. Items are paraphrased."
    content = folded("44 items", table.replace("<table>", "<table class=wide>"))
    return "CLAIM 2024 checklist", paragraph(note) + content


def _pictures(
    cases: Sequence[str],
    dice: Mapping[str, float | None],
    *,
    images: Mapping[str, Path],
    masks: Sequence[Path],
    references: Path,
    names: Mapping[int, str],
) -> Iterable[tuple[np.ndarray, str]]:
    for case in cases:
        mask = next((path for folder in masks if (path := folder / f"{case}.png").is_file()), None)
        reference = references / f"{case}.png"
        if mask is None or case not in images:
            continue
        try:
            picture = overlay(
                read_image(images[case]).pixels,
                read_mask(mask),
                reference=read_mask(reference) if reference.is_file() else None,
                names=names,
            )
        except (CervsegError, ValueError):
            continue
        value = dice[case]
        yield picture, f"{case}, Dice {'undefined' if value is None else f'{value:.3f}'}"


def _spread(ordered: Sequence[str], most: int) -> list[str]:
    """At most ``most``: half from the beginning, a quarter from the end, the rest evenly between."""
    if len(ordered) <= most:
        return list(ordered)
    first, last = most // 2, most // 4
    between = ordered[first : len(ordered) - last]
    step = len(between) / (most - first - last)
    chosen = [between[int(index * step)] for index in range(most - first - last)]
    return [*ordered[:first], *chosen, *ordered[len(ordered) - last :]]


def _range(found: Distribution) -> str:
    return f"{found.minimum:.0f} to {found.maximum:.0f} px, median {found.median:.0f}"


def _spacing(plan: Plan) -> str:
    found = plan.fingerprint
    if found.spacing_mm is None:
        return "not known: all distances are in px"
    known = f"{found.num_with_spacing} of {found.num_cases}"
    return f"median {found.spacing_mm.median:.3f} mm, known of {known} images"
