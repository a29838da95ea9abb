"""What a user may ask of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Say = Callable[[str], None]  # where a run tells a user what it does


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What a user may ask of a training run.

    ``folds`` are numbers or "all" (one network on every case); None means every fold of the splits.
    ``max_time_s`` bounds the whole call; folds share what is left of it. ``from_scratch`` starts from random
    weights even where published ones are at hand. ``teacher`` is a model folder to learn from beside the
    masks.
    """

    folds: Sequence[str] | None = None
    variant: str = "original"
    settings: Mapping[str, str] | None = None
    max_time_s: float | None = None
    device: str | None = None
    weights: Path | None = None
    from_scratch: bool = False
    teacher: Path | None = None
    go_on: bool = False
    restart: bool = False


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """What a user may ask of a prediction run.

    ``points`` (a file) or ``prompts_from`` (a folder of masks) is for models that segment what points mark:
    see :mod:`cervseg.inference.prompts`.
    """

    folds: Sequence[str] | None = None
    device: str | None = None
    precision: str | None = None
    tta: bool = False
    save_probabilities: bool = False
    overlay: bool = False
    points: Path | None = None
    prompts_from: Path | None = None
    go_on: bool = False


@dataclass(frozen=True, kw_only=True)
class ExplainOptions:
    """What a user may ask of an explanation.

    ``what`` is of "rollout", "query" and "gradcam" (None: all that the network has), ``point`` the query
    (x, y) in px of the film (None: the middle structure), ``label`` what Grad-CAM explains (None: the first).
    """

    what: Sequence[str] | None = None
    point: tuple[float, float] | None = None
    label: str | None = None
    folds: Sequence[str] | None = None
    device: str | None = None
    points: Path | None = None
    prompts_from: Path | None = None
