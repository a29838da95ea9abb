"""Summaries of the scores of many cases, and summary.json: a superset of nnU-Net v2's, always valid JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import read_json, write_json
from cervseg.core.notice import NOTICE
from cervseg.core.scores import CaseScore, FoldMeans, MetricValues, Summary
from cervseg.evaluation.definitions import THRESHOLD, definitions


def summarize(
    scores: Iterable[CaseScore],
    *,
    labels: Mapping[str, int],
    without_prediction: Sequence[str] = (),
    without_reference: Sequence[str] = (),
    failed: Mapping[str, str] | None = None,
    prompts: str = "",
    oracle_prompts: bool = False,
    folds: Sequence[FoldMeans] = (),
) -> Summary:
    """Compute means, standard deviations and counts over cases.

    A metric that any case has is expected of every case: where it is absent, it counts as undefined.

    Args:
        scores: one per case that was scored.
        labels: foreground names -> values.
        without_prediction: cases with a reference and no prediction.
        without_reference: cases with a prediction and no reference.
        failed: case -> why it could not be scored.
        prompts: origin of the points that the predictions were made with; "" where there were none.
        oracle_prompts: whether these points come from the references.
        folds: means of each fold of a cross-validation.

    Returns:
        The summary, keyed by label name and metric.
    """
    cases = tuple(scores)
    by_label = {name: [case.metrics.get(name, {}) for case in cases] for name in _by_value(labels)}
    metric_names = list(
        dict.fromkeys(key for metrics in by_label.values() for case in metrics for key in case)
    )
    defined = {
        name: {
            key: [value for case in metrics if (value := case.get(key)) is not None] for key in metric_names
        }
        for name, metrics in by_label.items()
    }
    mean = {name: {key: _mean(values) for key, values in found.items()} for name, found in defined.items()}
    return Summary(
        labels=_by_value(labels),
        scores=cases,
        foreground_mean=_over(mean.values(), metric_names, _mean),
        mean=mean,
        std={name: {key: _std(values) for key, values in found.items()} for name, found in defined.items()},
        undefined={
            name: {key: len(cases) - len(values) for key, values in found.items()}
            for name, found in defined.items()
        },
        missed={name: _num_one_sided(metrics, "n_ref", "n_pred") for name, metrics in by_label.items()},
        invented={name: _num_one_sided(metrics, "n_pred", "n_ref") for name, metrics in by_label.items()},
        without_prediction=tuple(without_prediction),
        without_reference=tuple(without_reference),
        failed=dict(failed or {}),
        prompts=prompts,
        oracle_prompts=oracle_prompts,
        folds=tuple(folds),
        fold_mean=_over_folds(folds, labels, _mean),
        fold_std=_over_folds(folds, labels, _std),
    )


def combine_folds(summaries: Sequence[Summary]) -> Summary:
    """Combine the folds of a cross-validation: all cases pooled, and the means of each fold.

    Args:
        summaries: one per fold.

    Raises:
        DatasetError: there is no fold, the labels differ, or a case is in two folds.
    """
    if not summaries:
        raise DatasetError("no fold to combine")
    labels = summaries[0].labels
    if any(summary.labels != labels for summary in summaries):
        raise DatasetError("the folds have different labels", hint="Evaluate all folds with the same labels")
    scores = [score for summary in summaries for score in summary.scores]
    seen: set[str] = set()
    for score in scores:
        if score.case in seen:
            raise DatasetError("the case is in the validation sets of two folds", where=score.case)
        seen.add(score.case)
    return summarize(
        scores,
        labels=labels,
        without_prediction=[case for summary in summaries for case in summary.without_prediction],
        without_reference=[case for summary in summaries for case in summary.without_reference],
        failed={case: why for summary in summaries for case, why in summary.failed.items()},
        prompts="; ".join(dict.fromkeys(summary.prompts for summary in summaries if summary.prompts)),
        oracle_prompts=any(summary.oracle_prompts for summary in summaries),
        folds=[_fold_means(summary) for summary in summaries],
    )


def write_summary(path: Path, summary: Summary) -> None:
    """Write summary.json. As in nnU-Net, labels are keyed by their values.

    Args:
        path: file to write.
        summary: scores to write.
    """
    number = {name: str(value) for name, value in summary.labels.items()}

    def numbered(by_name: Mapping[str, Any]) -> dict[str, Any]:
        return {number[name]: value for name, value in by_name.items()}

    content: dict[str, Any] = {
        "foreground_mean": summary.foreground_mean,
        "mean": numbered(summary.mean),
        "std": numbered(summary.std),
        "undefined": numbered(summary.undefined),
        "missed": numbered(summary.missed),
        "invented": numbered(summary.invented),
        "num_cases": len(summary.scores),
        "labels": summary.labels,
        "threshold": THRESHOLD,
        "definitions": definitions(summary),
        "without_prediction": summary.without_prediction,
        "without_reference": summary.without_reference,
        "failed": summary.failed,
        "notice": NOTICE,
    }
    if summary.prompts:
        content["prompts"] = summary.prompts
        content["oracle_prompts"] = summary.oracle_prompts
    if summary.folds:
        content["fold_mean"], content["fold_std"] = numbered(summary.fold_mean), numbered(summary.fold_std)
        content["folds"] = [
            {
                "num_cases": fold.num_cases,
                "foreground_mean": fold.foreground_mean,
                "mean": numbered(fold.mean),
            }
            for fold in summary.folds
        ]
    content["metric_per_case"] = [
        {
            "case": score.case,
            "metrics": numbered(score.metrics),
            "prediction_file": score.prediction_file,
            "reference_file": score.reference_file,
            "spacing_mm": score.spacing_mm,
        }
        for score in summary.scores
    ]
    write_json(path, content)


def read_summary(path: Path) -> Summary:
    """Read a summary.json of cervseg or nnU-Net v2 (whose NaN are read as undefined).

    Means and counts are computed again from the cases, so that they cannot contradict them.

    Args:
        path: file to read.

    Raises:
        DatasetError: the file is missing, is not JSON, or has no valid ``metric_per_case``.
    """
    content = read_json(path, error=DatasetError)
    try:
        names = _label_names(content)
        scores = [_read_score(entry, names) for entry in content["metric_per_case"]]
        folds = [
            FoldMeans(
                num_cases=int(fold["num_cases"]),
                foreground_mean=_finite(fold["foreground_mean"]),
                mean={names[number]: _finite(found) for number, found in fold["mean"].items()},
            )
            for fold in content.get("folds", [])
        ]
        return summarize(
            scores,
            labels={name: int(number) for number, name in names.items()},
            without_prediction=content.get("without_prediction", []),
            without_reference=content.get("without_reference", []),
            failed=content.get("failed", {}),
            prompts=content.get("prompts", ""),
            # Summaries of version 0.1 have the sentence only.
            oracle_prompts=content.get("oracle_prompts", content.get("prompts", "").startswith("oracle")),
            folds=folds,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise DatasetError(
            f"not a summary of scores ({type(problem).__name__}: {problem})",
            where=path,
            hint="Use a summary.json of cervseg_evaluate or nnU-Net v2, without label regions",
        ) from None


def _label_names(content: Mapping[str, Any]) -> dict[str, str]:
    # Number as text -> name. nnU-Net's files have no label names: there the number is the name.
    if "labels" in content:
        return {str(value): name for name, value in content["labels"].items()}
    numbers = {number for entry in content["metric_per_case"] for number in entry["metrics"]}
    return {number: number for number in sorted(numbers, key=int)}


def _read_score(entry: Mapping[str, Any], names: Mapping[str, str]) -> CaseScore:
    spacing = entry.get("spacing_mm")
    prediction_file = str(entry.get("prediction_file", ""))
    return CaseScore(
        case=str(entry.get("case") or Path(prediction_file).name.split(".")[0]),
        metrics={names[number]: _finite(found) for number, found in entry["metrics"].items()},
        prediction_file=prediction_file,
        reference_file=str(entry.get("reference_file", "")),
        spacing_mm=None if spacing is None else (float(spacing[0]), float(spacing[1])),
    )


def _finite(metrics: Mapping[str, float | None]) -> MetricValues:
    return {
        key: value if value is not None and math.isfinite(value) else None for key, value in metrics.items()
    }


def _fold_means(summary: Summary) -> FoldMeans:
    return FoldMeans(
        num_cases=len(summary.scores), foreground_mean=summary.foreground_mean, mean=summary.mean
    )


def _by_value(labels: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(labels.items(), key=lambda item: item[1]))


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _std(values: Sequence[float]) -> float | None:
    return float(statistics.stdev(map(float, values))) if len(values) > 1 else None


def _num_one_sided(metrics: Sequence[Mapping[str, float | None]], has: str, lacks: str) -> int:
    return sum(1 for case in metrics if case.get(has) and case.get(lacks) == 0)


def _over(many: Iterable[Mapping[str, float | None]], metrics: Iterable[str], statistic: Any) -> MetricValues:
    rows = list(many)
    return {key: statistic([v for row in rows if (v := row.get(key)) is not None]) for key in metrics}


def _over_folds(
    folds: Sequence[FoldMeans], labels: Mapping[str, int], statistic: Any
) -> dict[str, MetricValues]:
    if not folds:
        return {}
    found = {}
    for name in _by_value(labels):
        rows = [fold.mean[name] for fold in folds]
        found[name] = _over(rows, dict.fromkeys(key for row in rows for key in row), statistic)
    return found
