"""What a study is made of: models of several trainers on one dataset, scored on the same films.

Beside :mod:`cervseg.core.types`: frozen, keyword-only, without behaviour, and read by every room that
compares or draws models.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MEASURES = ("Dice", "IoU", "SSIM", "HD95", "VS")  # of the paper's tables, in their order
LOWER_IS_BETTER = (
    *("HD95", "HD95_max_directed", "HD95_missed_as_diagonal", "HD95_mm", "HD95_max_directed_mm"),
    *("MAE", "MAE_foreground", "FP", "FN"),
)
TEST, FOLDS = "test", "folds"  # the films that a study is scored on


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
        summary: its summary.json on the study's films.
        predictions: folders with its masks, ``<case>.png``; several where folds were scored.
        prompts: where points came from; empty where the network takes none.
        num_parameters: of its network, frozen ones included.
        train_s: seconds that training took, all folds together, validation not included.
        film_s: seconds a film took to predict, files in to files out; None where it was not measured.
        device: what it was predicted on.
        folds: the folds that were averaged (test films) or pooled (folds).
    """

    cell: Cell
    title: str
    model: str
    summary: str
    predictions: tuple[str, ...]
    prompts: str
    num_parameters: int
    train_s: float
    film_s: float | None
    device: str
    folds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Study:
    """study.json: every finished cell, and what is still to be done.

    Args:
        dataset: its folder's name.
        films: "test" (held out; read once, at the end) or "folds" (cross-validation).
        images, references: folders of the films and of their masks, relative to the dataset's raw folder.
        cells: in the order of trainers, variants, seeds.
        missing: cells that were asked for and are not there, each with the reason.
        notes: what must be said wherever a figure of the study is printed: phantoms, use of the test films.
    """

    dataset: str
    films: str
    images: str
    references: str
    labels: dict[str, int]
    cells: tuple[CellResult, ...]
    missing: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over cases with its 95 % bootstrap interval; None where nothing is defined.

    ``seed_std`` is the sample standard deviation of the seeds' means; None with fewer than two seeds.
    ``num_undefined`` counts cases (all seeds together) in which the measure has no value.
    """

    mean: float | None
    low: float | None
    high: float | None
    seed_std: float | None
    num_cases: int
    num_undefined: int


@dataclass(frozen=True, kw_only=True)
class PairTest:
    """Two systems on the same cases: Wilcoxon's signed-rank test, two-sided.

    Args:
        first, second: names of the systems.
        median_difference: of first minus second over the cases.
        num_cases, num_ties: cases that both have, and those in which they are equal.
        statistic, p: of the test; None where it cannot be made (``note`` says why).
        p_bonferroni, p_holm: corrected for all pairs that were tested together.
        effect: matched-pairs rank-biserial correlation, -1 to 1; positive: first is larger.
    """

    first: str
    second: str
    median_difference: float | None
    num_cases: int
    num_ties: int
    statistic: float | None
    p: float | None
    p_bonferroni: float | None
    p_holm: float | None
    effect: float | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several systems on the same cases, by one measure.

    Args:
        measure: "Dice" and the like.
        variant: of the dataset; empty where there is none.
        systems: names, in the order they were given.
        num_cases: cases in which every system has a value; only these are compared.
        num_left_out: cases in which some system has none.
        mean_rank: system -> mean rank, 1 = best.
        statistic, p: Friedman's chi-squared and its p; None with fewer than three systems or too few cases.
        kendalls_w: Friedman's effect size, 0 to 1.
        pairs: every pair of systems.
        note: what could not be done and why.
    """

    measure: str
    variant: str
    systems: tuple[str, ...]
    num_cases: int
    num_left_out: int
    mean_rank: dict[str, float]
    statistic: float | None
    p: float | None
    kendalls_w: float | None
    pairs: tuple[PairTest, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as text, ready to be written in any format.

    Args:
        name: of its files.
        title: above it.
        note: below it.
        columns: headings; the first column names the rows.
        rows: cells as text, as many a row as there are columns.
        best: (row, column) of the cells to print in bold.
        published: rows that are the paper's, printed in italics.
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[tuple[int, int], ...] = ()
    published: tuple[int, ...] = ()
