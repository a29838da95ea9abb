"""READ FIRST of this room: what kind of folder it is, and its report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cervseg.core.errors import CervsegError, DatasetError
from cervseg.core.jsonio import from_json, read_dataclass, read_json
from cervseg.core.paths import FoldFolder, ModelFolder, PredictionFolder, StudyFolder, Workspace
from cervseg.core.scores import Summary
from cervseg.core.study import Study
from cervseg.core.types import Plan
from cervseg.dataset.description import list_cases
from cervseg.evaluation.statistics import case_values
from cervseg.evaluation.summary import read_summary
from cervseg.imageio import list_images, stem_of
from cervseg.inference.run_record import RunRecord
from cervseg.planning.planfile import read_plan
from cervseg.report.claim import KNOWN_OF_SCORES, known_of_plan, known_of_training
from cervseg.report.page import case_table, fact_list, image_file, paragraph, table_html, write_page
from cervseg.report.sections import (
    Section,
    cases_section,
    claim_section,
    dataset_section,
    pictures_section,
    plan_section,
    score_section,
)
from cervseg.tables.table import Table

TRAIN, TEST = "Tr", "Ts"


def write_report(folder: Path, *, output: Path | None = None, images: Path | None = None) -> Path:
    """Write report.html for a model, one of its folds, a study, or a folder of predicted masks.

    Args:
        folder: ``results/Dataset.../Trainer__plans__variant``, its ``fold_0``, ``results/Dataset.../study``,
            or a folder of masks that cervseg_predict made.
        output: by default report.html in the folder.
        images: the images of a folder of masks, for pictures.

    Raises:
        DatasetError: the folder is none of these.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise DatasetError("no such folder", where=folder)
    output = output or folder / "report.html"
    if StudyFolder(folder).record.is_file():
        title, lead, sections = _of_study(StudyFolder(folder))
    elif ModelFolder(folder).record.is_file():
        title, lead, sections = _of_model(ModelFolder(folder), folds=ModelFolder(folder).folds())
    elif FoldFolder(folder).model.record.is_file():
        title, lead, sections = _of_model(FoldFolder(folder).model, folds=[FoldFolder(folder)])
    elif PredictionFolder(folder).record.is_file():
        title, lead, sections = _of_prediction(PredictionFolder(folder), images)
    else:
        raise DatasetError(
            "is neither a model, a fold, a study nor a folder of predicted masks",
            where=folder,
            hint="Name a folder below results, or one that cervseg_predict has written.",
        )
    write_page(output, title=title, lead=lead, sections=sections)
    return output


def _of_model(model: ModelFolder, *, folds: Sequence[FoldFolder]) -> tuple[str, str, list[Section]]:
    plan = read_plan(model.plan)
    trainer = read_json(model.record, error=DatasetError)
    configuration = trainer["configuration"]["name"]
    done = [fold for fold in folds if fold.summary.is_file()]
    one = len(folds) == 1
    summary = _summary(done[0].summary if one and done else model.crossval_summary)
    sections = [dataset_section(plan), plan_section(plan, configuration)]
    curves = [fold for fold in folds if fold.progress_figure.is_file()]
    sections.append(
        (
            "Training",
            _run_facts(folds)
            + "".join(
                image_file(fold.progress_figure, caption=f"{fold.name}: loss, Dice, terms, learning rate")
                for fold in curves
            ),
        )
    )
    known = known_of_plan(plan) | known_of_training(
        trainer["trainer"],
        json.dumps(trainer["configuration"]["network"]),
        trainer["configuration"]["loss"],
        trainer["configuration"]["hyperparameters"],
    )
    if summary is not None:
        sections += _scored(
            summary,
            plan,
            raw=_raw(model),
            part=TRAIN,
            masks=[fold.validation.path for fold in folds],
        )
        known |= KNOWN_OF_SCORES | {
            32: f"validation images of {len(done)} fold(s), {len(summary.scores)} cases"
        }
    sections.append(claim_section(known))
    name = folds[0].name if one else f"{len(done)} fold(s)"
    lead = f"{model.name}, {name}. Validation images chose the checkpoint; they are no test."
    if (_raw(model) / "phantoms").is_dir():
        lead += " The images are phantoms (synthetic): scores say nothing about patients."
    return f"{trainer['trainer']} on {plan.dataset.name}", lead, sections


def _of_study(folder: StudyFolder) -> tuple[str, str, list[Section]]:
    study = read_dataclass(Study, folder.record, error=DatasetError)
    results = folder.path.parent
    plan = read_plan(ModelFolder(results / study.cells[0].model).plan) if study.cells else None
    tables = from_json(
        list[Table], read_json(folder.path / "tables.json"), where="tables.json", error=DatasetError
    )
    sections: list[Section] = []
    notes = "".join(paragraph(note, kind="warning") for note in study.notes)
    missing = "".join(
        paragraph(f"Left out: {cell}: {why}", kind="warning") for cell, why in study.missing.items()
    )
    sections.append(
        ("Results", notes + missing + "".join(table_html(t) for t in tables if t.name != "table_pairs"))
    )
    sections += [("Pairs", table_html(table)) for table in tables if table.name == "table_pairs"]
    captions = folder.figures / "captions.json"
    if captions.is_file():
        pictures = [
            image_file(folder.figures / f"{name}.png", caption=caption)
            for name, caption in read_json(captions).items()
            if (folder.figures / f"{name}.png").is_file()
        ]
        sections.append(("Figures", "".join(pictures)))
    sections += _cases_of_study(study, results)
    known = dict(KNOWN_OF_SCORES)
    if plan is not None:
        sections += [dataset_section(plan), plan_section(plan)]
        known |= known_of_plan(plan)
    known |= {
        29: "95 % bootstrap intervals over images; Friedman, Wilcoxon with Bonferroni and Holm, effect sizes",
        32: f"{len(study.cells)} models on "
        f"{'held-out test images' if study.scored_on == 'test' else 'the folds'}",
    }
    sections.append(claim_section(known))
    lead = f"{len(study.cells)} model(s) on the same images of {study.dataset}."
    return f"Study on {study.dataset}", lead, sections


def _cases_of_study(study: Study, results: Path) -> list[Section]:
    """A table a variant: Dice of every system, image by image, mean over seeds."""
    sections = []
    for variant in dict.fromkeys(result.cell.variant for result in study.cells):
        systems: dict[str, list[Mapping[str, float | None]]] = {}
        for result in study.cells:
            if result.cell.variant == variant:
                values = case_values(read_summary(results / result.summary), "Dice")
                systems.setdefault(result.title, []).append(values)
        rows = [
            (case, [_mean_over(seeds, case) for seeds in systems.values()])
            for case in next(iter(systems.values()))[0]
        ]
        note = paragraph("Click a heading to sort; of several seeds the mean.")
        table = case_table(
            list(systems), rows, metrics=["Dice"] * len(systems), threshold_of=list(systems)[-1]
        )
        sections.append((f"Dice, image by image: {variant}", note + table))
    return sections


def _mean_over(seeds: Sequence[Mapping[str, float | None]], case: str) -> float | None:
    values = [value for seed in seeds if (value := seed.get(case)) is not None]
    return sum(values) / len(values) if values else None


def _of_prediction(folder: PredictionFolder, images: Path | None) -> tuple[str, str, list[Section]]:
    record = read_dataclass(RunRecord, folder.record, error=DatasetError)
    facts: dict[str, object] = {
        "model": record.model,
        "networks": len(record.checkpoints),
        "precision": f"{record.precision} on {record.device or 'an unknown device'}",
        "test-time views": "several, averaged" if record.tta else "one",
        "seconds an image": "not measured" if record.image_s is None else f"{record.image_s:.2f}",
        "finished": "yes" if record.finished else "no: the run was cut short",
    }
    content = fact_list(facts)
    if record.prompts:
        content += paragraph(f"Prompts: {record.prompts}.", kind="warning")
    content += "".join(paragraph(f"Failed: {reason}", kind="warning") for reason in record.failed)
    sections: list[Section] = [("Run", content)]
    summary = _summary(folder.summary)
    if summary is not None:
        sections += [score_section(summary), cases_section(summary)]
    if images is not None and summary is not None:
        image_files = {stem_of(path).removesuffix("_0000"): path for path in list_images(images)}
        references = Path(next((s.reference_file for s in summary.scores if s.reference_file), ".")).parent
        sections.append(pictures_section(summary, image_files, [folder.path], references))
    return f"Masks by {record.model}", f"Folder {folder.path.name}.", sections


def _scored(summary: Summary, plan: Plan, *, raw: Path, part: str, masks: Sequence[Path]) -> list[Section]:
    sections = [score_section(summary), cases_section(summary)]
    if raw.is_dir():
        images = {case.id: case.images[0] for case in list_cases(raw, plan.dataset, split=part)}
        sections.append(pictures_section(summary, images, masks, raw / f"labels{part}"))
    return sections


def _raw(model: ModelFolder) -> Path:
    """The raw images of a model's dataset, by the folder convention."""
    return Workspace(root=model.path.parents[2]).raw(model.dataset_name)


def _summary(path: Path) -> Summary | None:
    return read_summary(path) if path.is_file() else None


def _run_facts(folds: Sequence[FoldFolder]) -> str:
    rows: dict[str, Any] = {}
    for fold in folds:
        try:
            ended: Mapping[str, Any] = read_json(fold.finished)
        except CervsegError:
            rows[fold.name] = "not finished"
            continue
        rows[fold.name] = (
            f"{ended['epochs']} epochs in {ended['elapsed_s'] / 60:.1f} min, best in epoch "
            f"{ended['best_epoch'] + 1}"
        )
    return fact_list(rows)
