"""All metrics of one case."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cervseg.core.errors import DatasetError
from cervseg.core.types import CaseScore, SpacingMm
from cervseg.metrics.overlap import Confusion, confusion
from cervseg.metrics.similarity import mean_absolute_error, mean_absolute_error_foreground, ssim
from cervseg.metrics.surface import surface_distances

MetricValues = dict[str, float | None]


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
    """Measure every label of one case at the image's own size; definitions.py says what each metric means.

    Args:
        prediction: H x W label values; other values than those of ``labels`` are background.
        reference: H x W label values.
        labels: foreground names -> values.
        probabilities: L x H x W float in [0, 1], one plane a label in the order of the labels' values.
        spacing_mm: (row, column); without it there are no metrics in mm.

    Raises:
        DatasetError: the sizes differ, or there is not one plane of probabilities a label.
    """
    if prediction.shape != reference.shape:
        raise DatasetError(
            f"the prediction has {_size(prediction)} pixels, the reference {_size(reference)}",
            where=case,
            hint="Both must have the size of the image.",
        )
    if probabilities is not None and probabilities.shape != (len(labels), *reference.shape):
        raise DatasetError(
            f"the probabilities are {_size(probabilities)}, not {len(labels)} x {_size(reference)}",
            where=case,
        )
    metrics = {}
    for plane, (name, value) in enumerate(sorted(labels.items(), key=lambda item: item[1])):
        metrics[name] = _score_label(prediction == value, reference == value, spacing_mm=spacing_mm)
        if probabilities is not None:
            metrics[name] |= _errors(probabilities[plane], reference == value)
    return CaseScore(
        case=case,
        metrics=metrics,
        prediction_file=prediction_file,
        reference_file=reference_file,
        spacing_mm=spacing_mm,
    )


def _score_label(
    prediction: NDArray[np.bool_], reference: NDArray[np.bool_], *, spacing_mm: SpacingMm | None
) -> MetricValues:
    counts = confusion(prediction, reference)
    return {
        "Dice": counts.dice,
        "IoU": counts.iou,
        "VS": counts.volume_similarity,
        "SSIM": ssim(prediction, reference),
        **_distances(prediction, reference, counts=counts, spacing_mm=spacing_mm),
        "TP": counts.num_tp,
        "FP": counts.num_fp,
        "FN": counts.num_fn,
        "TN": counts.num_tn,
        "n_pred": counts.num_prediction,
        "n_ref": counts.num_reference,
    }


def _distances(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    *,
    counts: Confusion,
    spacing_mm: SpacingMm | None,
) -> MetricValues:
    in_px = surface_distances(prediction, reference)
    if in_px is not None:
        missed_as_diagonal: float | None = in_px.hd95
    elif counts.num_prediction or counts.num_reference:
        missed_as_diagonal = math.hypot(*reference.shape)
    else:
        missed_as_diagonal = None
    found: MetricValues = {
        "HD95": in_px.hd95 if in_px else None,
        "HD95_max_directed": in_px.hd95_max_directed if in_px else None,
        "HD95_missed_as_diagonal": missed_as_diagonal,
    }
    if spacing_mm is not None:
        in_mm = surface_distances(prediction, reference, spacing=spacing_mm)
        found["HD95_mm"] = in_mm.hd95 if in_mm else None
        found["HD95_max_directed_mm"] = in_mm.hd95_max_directed if in_mm else None
    return found


def _errors(probabilities: NDArray[Any], reference: NDArray[np.bool_]) -> MetricValues:
    return {
        "MAE": mean_absolute_error(probabilities, reference),
        "MAE_foreground": mean_absolute_error_foreground(probabilities, reference),
    }


def _size(array: NDArray[Any]) -> str:
    return " x ".join(str(side) for side in array.shape)
