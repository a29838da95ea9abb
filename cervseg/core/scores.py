"""Scores of cases, and their summary: frozen, keyword-only values without behavior."""

from __future__ import annotations

from dataclasses import dataclass, field

from cervseg.core.types import SpacingMm

MetricValues = dict[str, float | None]  # metric -> value, None where it is undefined


@dataclass(frozen=True, kw_only=True)
class CaseScore:
    """The metrics of one case.

    Args:
        case: case id.
        metrics: label name -> metric -> value; None where it is undefined.
        prediction_file, reference_file: paths of the masks.
        spacing_mm: (row, column); None where it is unknown.
    """

    case: str
    metrics: dict[str, MetricValues]
    prediction_file: str = ""
    reference_file: str = ""
    spacing_mm: SpacingMm | None = None


@dataclass(frozen=True, kw_only=True)
class FoldMeans:
    """The means of one fold of a cross-validation.

    Args:
        num_cases: cases that were scored.
        foreground_mean: metric -> mean over the labels of their means.
        mean: label name -> metric -> mean over cases.
    """

    num_cases: int
    foreground_mean: MetricValues
    mean: dict[str, MetricValues]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Scores of cases, their means and counts. Mappings are keyed by label name, then by metric.

    Args:
        labels: foreground names -> values.
        scores: one per case that was scored.
        foreground_mean: metric -> mean over the labels of their means.
        mean: over the cases with a defined value; None where there is none.
        std: sample standard deviation over these cases; None where there are fewer than two.
        undefined: number of cases in which the metric is undefined.
        missed: number of cases in which only the reference has the label.
        invented: number of cases in which only the prediction has the label.
        without_prediction: cases with a reference and no prediction; they are in no mean.
        without_reference: cases with a prediction and no reference.
        failed: case -> why it could not be scored.
        prompts: origin of the points that the network was prompted with; "" where there were none.
        oracle_prompts: whether these points come from the reference masks.
        folds: means of each fold of a cross-validation, else empty.
        fold_mean, fold_std: mean and sample standard deviation of the folds' means, else empty.
    """

    labels: dict[str, int]
    scores: tuple[CaseScore, ...]
    foreground_mean: MetricValues
    mean: dict[str, MetricValues]
    std: dict[str, MetricValues]
    undefined: dict[str, dict[str, int]]
    missed: dict[str, int]
    invented: dict[str, int]
    without_prediction: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    prompts: str = ""
    oracle_prompts: bool = False
    folds: tuple[FoldMeans, ...] = ()
    fold_mean: dict[str, MetricValues] = field(default_factory=dict)
    fold_std: dict[str, MetricValues] = field(default_factory=dict)
