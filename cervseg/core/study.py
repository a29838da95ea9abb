"""A study: models of several trainers on one dataset, scored on the same images.

Like :mod:`cervseg.core.types`: frozen, keyword-only values, read by every room that compares or draws models.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cervseg.core.errors import DatasetError
from cervseg.core.folders import StudyFolder
from cervseg.core.jsonio import from_json, read_json

ScoredOn = Literal["test", "folds"]  # the images that a study is scored on


@dataclass(frozen=True, kw_only=True)
class StudyModel:
    """One model of a study: a trainer on a variant of the dataset, with a seed."""

    trainer: str
    variant: str
    seed: int

    def __str__(self) -> str:
        return f"{self.trainer}, {self.variant}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class StudyModelResult:
    """A model that is trained and scored.

    Paths are POSIX paths relative to the folder of the dataset's results.

    Args:
        model: the trainer, the variant and the seed.
        title: name of the trainer in tables and figures ("CervSpineNet"); it names oracle prompts.
        folder: the model's folder.
        summary: its summary.json on the study's images.
        predictions: folders with its masks, ``<case>.png``; several if folds are scored.
        oracle_points: whether the network received a point in every structure of the reference.
        num_parameters: parameters of its network, frozen ones included.
        train_s: training time in seconds, all folds together, without validation.
        image_s: prediction time in seconds per image, from file to file; None if it was not measured.
        device: device of the prediction.
        folds: the folds that were averaged (test images) or pooled (folds).
    """

    model: StudyModel
    title: str
    folder: str
    summary: str
    predictions: tuple[str, ...]
    oracle_points: bool
    num_parameters: int
    train_s: float
    image_s: float | None
    device: str
    folds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Study:
    """study.json: every finished model, and what is missing.

    Args:
        dataset: name of the dataset's folder.
        scored_on: "test" (held-out images) or "folds" (cross-validation).
        images: folder of the images, relative to the raw dataset.
        references: folder of their masks, relative to the raw dataset.
        labels: foreground label names and their values.
        models: finished models, in the order of variants, trainers, seeds.
        missing: models that were requested and are missing, each with the reason.
        notes: sentences that belong to every figure and table: phantoms, use of the test images.
    """

    dataset: str
    scored_on: ScoredOn
    images: str
    references: str
    labels: dict[str, int]
    models: tuple[StudyModelResult, ...]
    missing: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FigureList:
    """captions.json: the figures of a study.

    Args:
        captions: name of the figure's file without suffix -> caption.
        missing: figures that could not be drawn, each with the reason.
    """

    captions: dict[str, str]
    missing: dict[str, str] = field(default_factory=dict)


def read_study(folder: StudyFolder) -> Study:
    """Read study.json.

    Args:
        folder: the study's folder.

    Returns:
        The study.

    Raises:
        DatasetError: the file is missing, broken, or from another version of cervseg.
    """
    content = read_json(folder.record, error=DatasetError)
    try:
        return from_json(Study, content, where=str(folder.record), error=DatasetError)
    except DatasetError as problem:
        raise DatasetError(
            f"not a study of this version of cervseg ({problem.what})",
            where=folder.record,
            hint="run cervseg_study again; trained models are kept",
        ) from None
