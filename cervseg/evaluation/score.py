"""All metrics of one case.

SciPy and scikit-image, which the metrics import on first use, are imported here as well: before worker
processes are forked, so that each of them need not do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from scipy.spatial import KDTree  # noqa: F401
from skimage.metrics import structural_similarity  # noqa: F401

from cervseg.core.errors import DatasetError
from cervseg.core.scores import CaseScore, MetricValues
from cervseg.core.types import SpacingMm
from cervseg.metrics.label_case import LabelCase
from cervseg.metrics.table import METRICS


def score_case(
    *,
    case: str,
    prediction: NDArray[Any],
    reference: NDArray[Any],
    labels: Mapping[str, int],
    probabilities: NDArray[Any] | None = None,
    spacing_mm: SpacingMm | None = None,
    prediction_file: str = "",
    reference_file: str = "",
) -> CaseScore:
    """Score every label of one case at the image's own size, by every metric of the table.

    Args:
        case: case id.
        prediction: H x W label values; values that are not in ``labels`` are background.
        reference: H x W label values.
        labels: foreground names -> values.
        probabilities: L x H x W float in [0, 1], one plane per label in the order of the labels' values.
        spacing_mm: (row, column); without it there are no metrics in mm.
        prediction_file: path of the prediction, kept in the score.
        reference_file: path of the reference, kept in the score.

    Raises:
        DatasetError: the sizes differ, or the number of probability planes is not the number of labels.
    """
    if prediction.shape != reference.shape:
        raise DatasetError(
            f"the prediction has {_size(prediction)} pixels, the reference {_size(reference)}",
            where=case,
            hint="Both must have the size of the image",
        )
    if probabilities is not None and probabilities.shape != (len(labels), *reference.shape):
        raise DatasetError(
            f"the probabilities are {_size(probabilities)}, not {len(labels)} x {_size(reference)}",
            where=case,
        )
    metrics = {}
    for plane, (name, value) in enumerate(sorted(labels.items(), key=lambda item: item[1])):
        metrics[name] = score_label(
            LabelCase(
                prediction=prediction == value,
                reference=reference == value,
                probability=None if probabilities is None else probabilities[plane],
                spacing_mm=spacing_mm,
            )
        )
    return CaseScore(
        case=case,
        metrics=metrics,
        prediction_file=prediction_file,
        reference_file=reference_file,
        spacing_mm=spacing_mm,
    )


def score_label(case: LabelCase) -> MetricValues:
    """Compute every metric for which the case has the inputs: metric -> value, None where undefined."""
    return {name: metric.function(case) for name, metric in METRICS.items() if metric.applies_to(case)}


def _size(array: NDArray[Any]) -> str:
    return " x ".join(str(side) for side in array.shape)
