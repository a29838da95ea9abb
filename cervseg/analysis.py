"""READ AFTER pipeline.py. What is made of results that are there: comparisons, agreement, pictures, reports.

Each function is what one command does, callable from Python.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cervseg.core.errors import CervsegError, DatasetError
from cervseg.core.jsonio import write_json
from cervseg.core.options import ExplainOptions, Say
from cervseg.core.study import Table


def _quiet(_text: str) -> None:
    """Where messages go when nobody listens."""


def compare(
    summaries: Mapping[str, Path],
    *,
    output: Path | None = None,
    measures: Sequence[str] | None = None,
    label: str | None = None,
) -> list[Table]:
    """Test whether systems differ: any set of summary.json files, ours or nnU-Net's, of the same cases.

    Args:
        summaries: name -> summary.json.
        output: a folder for the tables (CSV, LaTeX, Markdown, JSON) and comparisons.json.
        measures: by default those of the paper that every summary has.
        label: by default the mean over the labels, case by case.

    Returns:
        Scores, Friedman's tests and pairs, as tables.

    Raises:
        DatasetError: see :func:`cervseg.evaluation.comparing.read_systems`.
    """
    from cervseg.evaluation.comparing import read_systems
    from cervseg.reporting.comparisons import overall_table, pair_table, score_rows
    from cervseg.reporting.table_formats import write_tables

    systems = read_systems(summaries, measures=measures, label=label)
    comparisons = systems.comparisons()
    tables = [
        score_rows(systems.estimates(), measures=systems.measures, notes=systems.notes),
        overall_table(comparisons),
        pair_table(comparisons),
    ]
    if output is not None:
        write_tables(tables, output)
        write_json(output / "comparisons.json", comparisons)
    return tables


def agree(
    raters: Mapping[str, Path],
    models: Mapping[str, Path],
    *,
    output: Path | None = None,
    labels: Mapping[str, int] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> tuple[Table, list[str]]:
    """How well raters agree with each other and models with raters; the table, and which films were left out.

    Raises:
        DatasetError: see :func:`cervseg.evaluation.agreement.agree`.
    """
    from cervseg.evaluation.agreement import agree as agree_pairs
    from cervseg.reporting.comparisons import agreement_table
    from cervseg.reporting.table_formats import write_tables

    agreement = agree_pairs(
        raters, models, labels=labels, workers=workers or os.cpu_count() or 1, progress=progress
    )
    rows = {f"{pair.first} - {pair.second}": pair.estimates for pair in agreement.pairs}
    table = agreement_table({**rows, **agreement.groups}, num_films=len(agreement.films))
    left_out = [f"{film}: {why}" for film, why in agreement.left_out.items()]
    if output is not None:
        write_tables([table], output)
        write_json(output / "agreement.json", agreement)
    return table, left_out


def named_summaries(texts: Sequence[str]) -> dict[str, Path]:
    """``NAME=summary.json`` or a path alone, which is then named by its model's folder, as a mapping.

    Raises:
        DatasetError: a name is used twice.
    """
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, path = ("", "", text) if Path(text).exists() else text.partition("=")
        file = Path(path if equals else text)
        file = file / "summary.json" if file.is_dir() else file
        name = name if equals else _name_of(file)
        if name in found:
            raise DatasetError(f"the name {name!r} is used twice", mend=f"Write {name}2={file}.")
        found[name] = file
    return found


def _name_of(file: Path) -> str:
    """The model that a summary belongs to, by the folders it lies in."""
    folders = [name for name in file.resolve().parts[:-1] if not name.startswith(("fold_", "validation"))]
    return folders[-1].removesuffix("__plans__original") if folders else file.stem


def explain(
    images: Path,
    output: Path,
    *,
    model: Path,
    options: ExplainOptions,
    progress: bool = True,
    say: Say = _quiet,
) -> list[tuple[Path, str]]:
    """Draw what a model looked at on each film, as PNG and SVG; returns the films that failed, and why.

    The first fold's network is explained, in float32; the outline is its own mask.

    Raises:
        ImageError: there is no film. CheckpointError: the model cannot be loaded. CervsegError: attention is
            asked for and the network has none, or it wants points.
    """
    from cervseg.core.progress import progress_bar
    from cervseg.explain.film import Explainer
    from cervseg.imageio import read_image
    from cervseg.inference.jobs import list_jobs
    from cervseg.inference.predictor import Predictor, checkpoint_files
    from cervseg.inference.prompts import read_prompts
    from cervseg.reporting.explanations import explanation_panel

    files = checkpoint_files(model, folds=options.folds)[:1]
    predictor = Predictor.from_files(files, device=options.device, precision="float32")
    labels = predictor.dataset.foreground
    jobs = list_jobs(images, output, num_channels=len(predictor.dataset.channel_names))
    prompts = read_prompts(
        points=options.points,
        masks=options.prompts_from,
        labels=labels,
        wanted=predictor.takes_points,
        output=output,
    )
    explainer = Explainer.make(predictor.networks[0], labels=labels, what=options.what, label=options.label)
    note = f"{model.name}, {files[0].parent.name}."
    say(f"{note} {', '.join(explainer.what)} of {len(jobs)} film(s)")
    failed = []
    bar = progress_bar(total=len(jobs), label="explain", unit="film", show=progress)
    for job in jobs:
        try:
            films = [read_image(path) for path in job.images]
            pixels = np.concatenate([film.pixels for film in films])
            points = None if prompts is None else prompts(job, pixels.shape[1:])
            case = predictor.prepare(pixels, films[0].spacing_mm, points=points)
            mask = predictor.finish(predictor.infer(case)).mask
            found = explainer.explain(case, mask, point=options.point)
            explanation_panel(
                pixels[0], mask, found.maps, output / job.mask.stem, point=found.point, note=note
            )
        except (CervsegError, OSError, ValueError) as problem:
            failed.append((job.images[0], str(problem)))
        bar.update()
    bar.close()
    return failed
