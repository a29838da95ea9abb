"""What a study is made of: models of several trainers on one dataset, scored on the same images.

Beside :mod:`cervseg.core.types`: frozen, keyword-only, without behaviour, and read by every room that
compares or draws models.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TEST, FOLDS = "test", "folds"  # the images that a study is scored on


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One model of a study: a trainer on a variant of the dataset, with a seed."""

    trainer: str
    variant: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """A cell that was trained and scored.

    Paths are relative to the folder of the dataset's results, in POSIX form.

    Args:
        title: how tables and figures name its trainer ("CervSpineNet"); oracle prompts are said there.
        model: the model's folder.
        summary: its summary.json on the study's images.
        predictions: folders with its masks, ``<case>.png``; several where folds were scored.
        prompts: where points came from; empty where the network takes none.
        num_parameters: of its network, frozen ones included.
        train_s: seconds that training took, all folds together, validation not included.
        image_s: seconds an image took to predict, files in to files out; None where it was not measured.
        device: what it was predicted on.
        folds: the folds that were averaged (test images) or pooled (folds).
    """

    cell: Cell
    title: str
    model: str
    summary: str
    predictions: tuple[str, ...]
    prompts: str
    num_parameters: int
    train_s: float
    image_s: float | None
    device: str
    folds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Study:
    """study.json: every finished cell, and what is still to be done.

    Args:
        dataset: its folder's name.
        images: "test" (held out; read once, at the end) or "folds" (cross-validation).
        images, references: folders of the images and of their masks, relative to the dataset's raw folder.
        cells: in the order of trainers, variants, seeds.
        missing: cells that were asked for and are not there, each with the reason.
        notes: what must be said wherever a figure of the study is printed: phantoms, use of the test images.
    """

    dataset: str
    scored_on: str
    images: str
    references: str
    labels: dict[str, int]
    cells: tuple[CellResult, ...]
    missing: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
