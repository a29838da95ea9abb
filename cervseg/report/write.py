"""READ FIRST of this room: the kinds of reports and their sections.

To add a section, write a function ``content -> Section | None`` in a module of ``sections/`` and add it to
the list of each kind of report that shows it. None leaves the section out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from cervseg.core.errors import DatasetError
from cervseg.core.folders import FoldFolder, ModelFolder, PredictionFolder, StudyFolder
from cervseg.report.blocks import Section
from cervseg.report.content import ModelContent, PredictionContent, StudyContent
from cervseg.report.page import write_page
from cervseg.report.sections.cases import cases_section
from cervseg.report.sections.claim import model_claim_section, study_claim_section
from cervseg.report.sections.dataset import dataset_section
from cervseg.report.sections.pictures import pictures_section
from cervseg.report.sections.plan import plan_section
from cervseg.report.sections.prediction_run import prediction_run_section
from cervseg.report.sections.scores import scores_section
from cervseg.report.sections.study_cases import study_cases_section
from cervseg.report.sections.study_figures import study_figures_section
from cervseg.report.sections.study_results import study_results_section
from cervseg.report.sections.study_tests import study_tests_section
from cervseg.report.sections.training import training_section

Content = TypeVar("Content")

MODEL_SECTIONS: Sequence[Callable[[ModelContent], Section | None]] = (
    scores_section,
    cases_section,
    pictures_section,
    training_section,
    dataset_section,
    plan_section,
    model_claim_section,
)
STUDY_SECTIONS: Sequence[Callable[[StudyContent], Section | None]] = (
    study_results_section,
    study_figures_section,
    study_tests_section,
    study_cases_section,
    dataset_section,
    plan_section,
    study_claim_section,
)
PREDICTION_SECTIONS: Sequence[Callable[[PredictionContent], Section | None]] = (
    scores_section,
    cases_section,
    pictures_section,
    prediction_run_section,
)


def write_report(folder: Path, *, output: Path | None = None, images: Path | None = None) -> Path:
    """Write report.html for a model, one of its folds, a study, or a folder of predicted masks.

    Args:
        folder: ``results/Dataset.../Trainer__plans__variant``, its ``fold_0``, ``results/Dataset.../study``,
            or a folder of masks from cervseg_predict.
        output: file to write; by default report.html in the folder.
        images: folder of the images of predicted masks, for pictures.

    Returns:
        The file.

    Raises:
        DatasetError: the folder is none of these.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise DatasetError("no such folder", where=folder)
    output = output or folder / "report.html"
    if StudyFolder(folder).record.is_file():
        _write_study(StudyContent.read(StudyFolder(folder)), output)
    elif ModelFolder(folder).record.is_file():
        model = ModelFolder(folder)
        _write_model(ModelContent.read(model, folds=tuple(model.folds())), output)
    elif FoldFolder(folder).model.record.is_file():
        fold = FoldFolder(folder)
        _write_model(ModelContent.read(fold.model, folds=(fold,)), output)
    elif PredictionFolder(folder).record.is_file():
        content = PredictionContent.read(PredictionFolder(folder), images=images)
        title, lead = f"Masks of {content.run.model}", f"Folder {folder.name}."
        write_page(output, title=title, lead=lead, sections=_make(PREDICTION_SECTIONS, content))
    else:
        raise DatasetError(
            "not a model, a fold, a study or a folder of predicted masks",
            where=folder,
            hint="name a folder in results/, or one that cervseg_predict has written",
        )
    return output


def _write_model(content: ModelContent, output: Path) -> None:
    name = content.folds[0].name if len(content.folds) == 1 else f"{len(content.folds)} folds"
    lead = f"{content.model.name}, {name}."
    if content.summary is not None:
        lead += " Validation scores; the same images chose the checkpoint, so expect optimism."
    if content.has_phantoms:
        lead += " The images are phantoms (synthetic): these scores say nothing about patients."
    title = f"{content.trainer} on {content.plan.dataset.name}"
    write_page(output, title=title, lead=lead, sections=_make(MODEL_SECTIONS, content))


def _write_study(content: StudyContent, output: Path) -> None:
    study = content.study
    images = "held-out test images" if study.scored_on == "test" else "validation images of the folds"
    lead = f"{len(study.models)} model(s), scored on the same {images} of {study.dataset}."
    title = f"Study on {study.dataset}"
    write_page(output, title=title, lead=lead, sections=_make(STUDY_SECTIONS, content))


def _make(sections: Sequence[Callable[[Content], Section | None]], content: Content) -> list[Section]:
    return [section for make in sections if (section := make(content)) is not None]
