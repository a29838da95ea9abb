"""Scores of a folder of masks against a folder of references."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cervseg.core.errors import DatasetError, one_line
from cervseg.core.scores import CaseScore, Summary
from cervseg.core.types import DatasetDescription, SpacingMm
from cervseg.core.workers import map_cases
from cervseg.dataset.description import read_description, stem_of
from cervseg.evaluation.score import score_case
from cervseg.evaluation.summary import summarize
from cervseg.imageio import list_images, read_mask

WHITE = 255  # many binary masks contain 0 and 255


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The result of an evaluation."""

    summary: Summary

    @property
    def is_complete(self) -> bool:
        """Whether every reference was scored."""
        return not self.summary.without_prediction and not self.summary.failed


@dataclass(frozen=True, kw_only=True)
class _Pair:
    case: str
    prediction: Path
    reference: Path
    probabilities: Path | None
    spacing_mm: SpacingMm | None


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """Labels to score, name -> value; ``auxiliary``: values that are background; ``is_strict``: no others."""

    labels: Mapping[str, int]
    auxiliary: Collection[int] = ()
    is_strict: bool = False


def evaluate_folders(
    *,
    predictions: Path,
    references: Path,
    labels: Mapping[str, int] | None = None,
    workers: int = 1,
    probabilities: Path | None = None,
    spacing_mm: Mapping[str, SpacingMm] | None = None,
    only: Collection[str] | None = None,
    prompts: str = "",
    oracle_prompts: bool = False,
    progress: bool = True,
) -> Evaluation:
    """Score every prediction that has a reference of the same name (file endings may differ).

    Unreadable cases and references without a prediction are listed in the summary; the rest is scored.

    Args:
        predictions: folder of predicted masks.
        references: folder of reference masks.
        labels: foreground names -> values; other values in the masks are background. By default the labels of
            the dataset.json in or above ``references``, or in ``predictions``, auxiliary ones being
            background; without one, the values found in the masks. Masks of 0 and 255 are read as a single
            label.
        workers: number of processes.
        probabilities: folder that may contain ``<case>.npz`` with ``probabilities``, L x H x W.
        spacing_mm: case -> (row, column); by default from dataset.json.
        only: cases to score; by default all.
        prompts: origin of the points that the predictions were made with; "" where there were none.
        oracle_prompts: whether these points come from the references.
        progress: show a progress bar.

    Raises:
        DatasetError: a folder is missing, no prediction has a reference, or dataset.json is invalid.
    """
    found, expected = _by_case(predictions, only), _by_case(references, only)
    description = _description(references, predictions, required=labels is None)
    if spacing_mm is None:
        spacing_mm = description.spacing_mm if description else {}
    pairs = _pairs(found, expected, probabilities=probabilities, spacing_mm=spacing_mm)
    if not pairs:
        raise DatasetError(
            f"none of {len(found)} prediction(s) has a reference of the same name in {references}",
            where=predictions,
            hint="Both folders must contain masks, named like their cases",
        )
    if labels is not None:
        scored = _Scored(labels=dict(labels))
    elif description is not None:
        scored = _Scored(
            labels=description.foreground, auxiliary=description.auxiliary_values, is_strict=True
        )
    else:
        found_labels = _labels_found(pairs, workers=workers, progress=progress)
        scored = _Scored(labels=found_labels, is_strict=True)
    outcomes = map_cases(
        partial(_score_pair, scored=scored),
        pairs,
        workers=workers,
        label="evaluate",
        progress=progress,
    )
    return Evaluation(
        summary=summarize(
            [outcome.result for outcome in outcomes if outcome.result is not None],
            labels=scored.labels,
            without_prediction=sorted(expected.keys() - found.keys()),
            without_reference=sorted(found.keys() - expected.keys()),
            failed={outcome.item.case: one_line(outcome.error) for outcome in outcomes if outcome.error},
            prompts=prompts,
            oracle_prompts=oracle_prompts,
        )
    )


def _pairs(
    found: Mapping[str, Path],
    expected: Mapping[str, Path],
    *,
    probabilities: Path | None,
    spacing_mm: Mapping[str, SpacingMm],
) -> list[_Pair]:
    pairs = []
    for case in sorted(found.keys() & expected.keys()):
        archive = None if probabilities is None else probabilities / f"{case}.npz"
        pairs.append(
            _Pair(
                case=case,
                prediction=found[case],
                reference=expected[case],
                probabilities=archive if archive is not None and archive.is_file() else None,
                spacing_mm=spacing_mm.get(case),
            )
        )
    return pairs


def _score_pair(pair: _Pair, *, scored: _Scored) -> CaseScore:
    return score_case(
        case=pair.case,
        prediction=_read_labels(pair.prediction, scored),
        reference=_read_labels(pair.reference, scored),
        labels=scored.labels,
        probabilities=None if pair.probabilities is None else _read_probabilities(pair.probabilities, scored),
        spacing_mm=pair.spacing_mm,
        prediction_file=str(pair.prediction),
        reference_file=str(pair.reference),
    )


def _read_labels(path: Path, scored: _Scored) -> NDArray[Any]:
    mask: NDArray[Any] = read_mask(path)
    labels = scored.labels
    values, known = _values(mask), set(labels.values())
    if WHITE in values and WHITE not in known and values <= {0, WHITE}:
        if len(labels) != 1:
            raise DatasetError(
                f"values are only 0 and {WHITE}, but there are {len(labels)} labels", where=path
            )
        return np.where(mask == WHITE, next(iter(known)), 0)
    unknown = sorted(values - known - {0, *scored.auxiliary})
    if unknown and scored.is_strict:
        raise DatasetError(
            f"unknown label value {unknown[0]}",
            where=path,
            hint="Name the labels with --labels NAME=VALUE ...; all other values count as background",
        )
    return mask


def _read_probabilities(path: Path, scored: _Scored) -> NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            planes: NDArray[Any] = archive["probabilities"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise DatasetError(f"no probabilities in this file ({problem})", where=path) from None
    if planes.ndim == 4 and planes.shape[1] == 1:  # nnU-Net: background first, and a depth of one
        planes = planes[1:, 0]
    if len(planes) == len(scored.labels) + len(scored.auxiliary):  # another program saves auxiliary ones too
        planes = planes[: len(scored.labels)]
    return planes


def _labels_found(pairs: list[_Pair], *, workers: int, progress: bool) -> dict[str, int]:
    files = [path for pair in pairs for path in (pair.reference, pair.prediction)]
    outcomes = map_cases(_values_in_file, files, workers=workers, label="labels", progress=progress)
    values = {value for outcome in outcomes for value in outcome.result or ()} - {0}
    if values <= {1, WHITE}:
        return {"1": 1}
    return {str(value): value for value in sorted(values)}


def _values_in_file(path: Path) -> set[int]:
    return _values(read_mask(path))


def _values(mask: NDArray[Any]) -> set[int]:
    return {int(value) for value in np.flatnonzero(np.bincount(mask.ravel()))}


def _by_case(folder: Path, only: Collection[str] | None) -> dict[str, Path]:
    if not folder.is_dir():
        raise DatasetError("no such folder", where=folder)
    found: dict[str, Path] = {}
    for path in list_images(folder):
        case = stem_of(path)
        if only is not None and case not in only:
            continue
        if case in found:
            raise DatasetError(
                f"two masks for the case {case!r}: {found[case].name} and {path.name}",
                where=folder,
                hint="Remove one of them",
            )
        found[case] = path
    return found


def _description(references: Path, predictions: Path, *, required: bool) -> DatasetDescription | None:
    for folder in (references, references.resolve().parent, predictions):
        if (folder / "dataset.json").is_file():
            try:
                return read_description(folder)
            except DatasetError:
                if required:
                    raise
    return None
