"""Agreement of raters with each other, and of models with raters (3.4)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.comparison import Estimate
from cervseg.core.errors import DatasetError
from cervseg.core.scores import Summary
from cervseg.evaluation.evaluate import evaluate_folders
from cervseg.evaluation.statistics import Values, case_values, estimate
from cervseg.metrics.table import PAPER_METRICS

RATERS = "raters with raters"
_Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class PairAgreement:
    """Agreement of two sets of masks of the same images.

    Args:
        first, second: names of the raters or models.
        with_model: whether the second is a model.
        estimates: metric -> mean over the images that all have, with its interval.
    """

    first: str
    second: str
    with_model: bool
    estimates: Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement of every pair, over the same images.

    Args:
        images: those that every pair has; only these are in any mean.
        left_out: image -> why it is in no mean.
        pairs: every pair of raters, and every rater with every model.
        groups: means over pairs, per image: "raters with raters", "<model> with raters" and their
            difference "<model> minus raters" (for distances, below 0 is better) -> metric -> estimate.
    """

    images: tuple[str, ...]
    left_out: Mapping[str, str]
    pairs: tuple[PairAgreement, ...]
    groups: Mapping[str, Mapping[str, Estimate]]


def agree(
    raters: Mapping[str, Path],
    models: Mapping[str, Path],
    *,
    labels: Mapping[str, int] | None = None,
    workers: int = 1,
    progress: bool = True,
) -> Agreement:
    """Compare every pair of raters, and every rater with every model, by the metrics of the paper.

    These metrics are symmetric: it does not matter which mask is the reference. An image that one of them
    lacks, or whose masks cannot be compared, is listed and in no mean, so that all pairs are compared on the
    same images. With several labels, the mean over the labels that are defined in the image is taken.

    Args:
        raters: name -> folder of masks, named like their images.
        models: name -> folder of masks, named like their images.
        labels: foreground names -> values; by default as :func:`evaluate_folders` finds them.
        workers: number of processes.
        progress: show progress bars.

    Raises:
        DatasetError: there are fewer than two folders, there is no rater, a name is used twice, or no image
            has a mask by all of them.
    """
    if not raters or len(raters) + len(models) < 2:
        raise DatasetError("agreement needs at least two folders of masks, one of them of a rater")
    if both := raters.keys() & models.keys():
        raise DatasetError(f"{min(both)!r} is the name of a rater and of a model", hint="Rename one of them")
    pairs = [*itertools.combinations(raters, 2), *itertools.product(raters, models)]
    found = _evaluate(pairs, {**raters, **models}, labels=labels, workers=workers, progress=progress)
    images = sorted(set.intersection(*({s.case for s in summary.scores} for summary in found.values())))
    left_out = _left_out(found)
    if not images:
        image, why = next(iter(left_out.items()))
        raise DatasetError("no image has a mask by all of them", hint=f"For example {image}: {why}")
    values = {pair: _values(summary, images) for pair, summary in found.items()}
    return Agreement(
        images=tuple(images),
        left_out=left_out,
        pairs=tuple(
            PairAgreement(
                first=first,
                second=second,
                with_model=second in models,
                estimates={metric: estimate([values[first, second][metric]]) for metric in PAPER_METRICS},
            )
            for first, second in pairs
        ),
        groups=_groups(values, raters=list(raters), models=list(models)),
    )


def _evaluate(
    pairs: Sequence[_Pair],
    folders: Mapping[str, Path],
    *,
    labels: Mapping[str, int] | None,
    workers: int,
    progress: bool,
) -> dict[_Pair, Summary]:
    """Score every pair by the same labels, those that any pair has: pair -> scores."""

    def score(pair: _Pair, labels: Mapping[str, int] | None) -> Summary:
        first, second = pair
        return evaluate_folders(
            predictions=folders[second],
            references=folders[first],
            labels=labels,
            workers=workers,
            progress=progress,
        ).summary

    found = {pair: score(pair, labels) for pair in pairs}
    names: dict[int, str] = {}
    for summary in found.values():
        for name, value in summary.labels.items():  # a name of dataset.json is preferred to a number
            names[value] = name if name != str(value) else names.get(value, name)
    wanted = {name: value for value, name in sorted(names.items())}
    return {
        pair: summary if summary.labels == wanted else score(pair, wanted) for pair, summary in found.items()
    }


def _left_out(found: Mapping[_Pair, Summary]) -> dict[str, str]:
    reasons: dict[str, dict[str, None]] = {}
    for (first, second), summary in found.items():
        for image in summary.without_prediction:
            reasons.setdefault(image, {})[f"no mask by {second}"] = None
        for image in summary.without_reference:
            reasons.setdefault(image, {})[f"no mask by {first}"] = None
        for image, why in summary.failed.items():
            reasons.setdefault(image, {})[f"{first} - {second}: {why}"] = None
    return {image: "; ".join(why) for image, why in sorted(reasons.items())}


def _values(summary: Summary, images: Sequence[str]) -> dict[str, Values]:
    found = {metric: case_values(summary, metric) for metric in PAPER_METRICS}
    return {metric: {image: values[image] for image in images} for metric, values in found.items()}


def _groups(
    values: Mapping[_Pair, Mapping[str, Values]], *, raters: Sequence[str], models: Sequence[str]
) -> dict[str, dict[str, Estimate]]:
    people = list(itertools.combinations(raters, 2))
    members = {RATERS: people} if people else {}
    members |= {f"{model} with raters": [(rater, model) for rater in raters] for model in models}
    over_pairs = {
        name: {metric: _over_pairs([values[pair][metric] for pair in pairs]) for metric in PAPER_METRICS}
        for name, pairs in members.items()
    }
    found = {
        name: {metric: estimate([of[metric]]) for metric in PAPER_METRICS} for name, of in over_pairs.items()
    }
    if people:
        for model in models:
            one, other = over_pairs[f"{model} with raters"], over_pairs[RATERS]
            found[f"{model} minus raters"] = {
                metric: estimate([_difference(one[metric], other[metric])]) for metric in PAPER_METRICS
            }
    return found


def _over_pairs(pairs: Sequence[Values]) -> Values:
    # Undefined where any pair is: leaving out the pair that missed a structure would raise the mean.
    found: dict[str, float | None] = {}
    for image in pairs[0]:
        values = [value for pair in pairs if (value := pair[image]) is not None]
        found[image] = sum(values) / len(values) if len(values) == len(pairs) else None
    return found


def _difference(one: Values, other: Values) -> Values:
    found: dict[str, float | None] = {}
    for image, value in one.items():
        subtrahend = other[image]
        found[image] = None if value is None or subtrahend is None else value - subtrahend
    return found
