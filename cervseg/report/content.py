"""The results that a report shows, read once: of a model, a study, or a folder of predicted masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.folders import FoldFolder, ModelFolder, PredictionFolder, StudyFolder
from cervseg.core.jsonio import from_json, read_dataclass, read_json
from cervseg.core.paths import Workspace
from cervseg.core.scores import Summary
from cervseg.core.study import FigureList, Study, read_study
from cervseg.core.types import Configuration, Plan
from cervseg.dataset.description import list_cases
from cervseg.evaluation.summary import read_summary
from cervseg.imageio import list_images, stem_of
from cervseg.inference.run_record import RunRecord, read_run_record
from cervseg.planning.planfile import read_plan
from cervseg.tables.table import Table


@dataclass(frozen=True, kw_only=True)
class CaseFiles:
    """The files of the cases that a summary scores.

    Args:
        images: case -> image.
        masks: folders of predicted masks.
        references: folder of reference masks.
    """

    images: Mapping[str, Path]
    masks: tuple[PredictionFolder, ...]
    references: Path


@dataclass(frozen=True, kw_only=True)
class ModelContent:
    """A model or one of its folds.

    Args:
        model: its folder.
        folds: the folds to show.
        trainer: name of the trainer.
        configuration: as trained.
        plan: as trained.
        summary: scores of the validation images; None if there are none yet.
        files: None if the raw dataset is missing.
        has_phantoms: whether the images are synthetic.
    """

    model: ModelFolder
    folds: tuple[FoldFolder, ...]
    trainer: str
    configuration: Configuration
    plan: Plan
    summary: Summary | None
    files: CaseFiles | None
    has_phantoms: bool

    @classmethod
    def read(cls, model: ModelFolder, *, folds: tuple[FoldFolder, ...]) -> ModelContent:
        """Read a model.

        Args:
            model: its folder.
            folds: the folds to show; one fold shows its own scores, several show the pooled ones.

        Raises:
            CervsegError: a file is missing or invalid.
        """
        plan = read_plan(model.plan)
        record = read_json(model.record, error=DatasetError)
        scored = [fold.summary for fold in folds if fold.summary.is_file()]
        raw = Workspace(root=model.path.parents[2]).raw(model.dataset_name)
        files = None
        if raw.is_dir():
            images = {case.id: case.images[0] for case in list_cases(raw, plan.dataset, split="Tr")}
            masks = tuple(fold.validation for fold in folds)
            files = CaseFiles(images=images, masks=masks, references=raw / "labelsTr")
        return cls(
            model=model,
            folds=folds,
            trainer=record["trainer"],
            configuration=from_json(
                Configuration, record["configuration"], where=str(model.record), error=DatasetError
            ),
            plan=plan,
            summary=_summary(scored[0] if len(folds) == 1 and scored else model.crossval_summary),
            files=files,
            has_phantoms=plan.dataset.synthetic or (raw / "phantoms").is_dir(),
        )

    @property
    def configurations(self) -> tuple[str, ...]:
        """The configurations of the plan that the report shows."""
        return (self.configuration.name,)


@dataclass(frozen=True, kw_only=True)
class StudyContent:
    """A study.

    Args:
        folder: its folder.
        study: its models.
        plan: plan of the first model; None without models.
        tables: as written.
        figures: their captions.
        summaries: summary file -> scores, per model.
    """

    folder: StudyFolder
    study: Study
    plan: Plan | None
    tables: tuple[Table, ...]
    figures: FigureList
    summaries: Mapping[str, Summary]

    @classmethod
    def read(cls, folder: StudyFolder) -> StudyContent:
        """Read a study.

        Args:
            folder: its folder.

        Raises:
            CervsegError: a file is missing or invalid.
        """
        study = read_study(folder)
        results = folder.path.parent
        plan = read_plan(ModelFolder(results / study.models[0].folder).plan) if study.models else None
        figures = FigureList(captions={})
        if folder.captions.is_file():
            figures = read_dataclass(FigureList, folder.captions, error=DatasetError)
        tables = read_json(folder.tables, error=DatasetError)
        return cls(
            folder=folder,
            study=study,
            plan=plan,
            tables=tuple(from_json(list[Table], tables, where=str(folder.tables), error=DatasetError)),
            figures=figures,
            summaries={result.summary: read_summary(results / result.summary) for result in study.models},
        )

    @property
    def configurations(self) -> tuple[str, ...]:
        """The configurations of the plan that the report shows."""
        return tuple(self.plan.configurations) if self.plan else ()


@dataclass(frozen=True, kw_only=True)
class PredictionContent:
    """A folder of predicted masks.

    Args:
        folder: the folder.
        run: how the masks were made.
        summary: their scores; None if they were not evaluated.
        files: None without images.
    """

    folder: PredictionFolder
    run: RunRecord
    summary: Summary | None
    files: CaseFiles | None

    @classmethod
    def read(cls, folder: PredictionFolder, *, images: Path | None) -> PredictionContent:
        """Read a folder of predicted masks.

        Args:
            folder: the folder.
            images: folder of the images, for pictures.

        Raises:
            CervsegError: a file is missing or invalid.
        """
        summary = _summary(folder.summary)
        files = None
        if images is not None and summary is not None:
            references = next((s.reference_file for s in summary.scores if s.reference_file), ".")
            files = CaseFiles(
                images={stem_of(path).removesuffix("_0000"): path for path in list_images(images)},
                masks=(folder,),
                references=Path(references).parent,
            )
        run = read_run_record(folder.path)
        if run is None:
            raise DatasetError("not a valid record of a prediction", where=folder.record)
        return cls(folder=folder, run=run, summary=summary, files=files)


def _summary(path: Path) -> Summary | None:
    return read_summary(path) if path.is_file() else None
