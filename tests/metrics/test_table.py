import numpy as np
import pytest

from cervseg.metrics.label_case import LabelCase
from cervseg.metrics.table import COMPARED_METRICS, METRICS, PAPER_METRICS, listed

SQUARE = np.pad(np.ones((4, 4), bool), 10)
EMPTY = np.zeros_like(SQUARE)


def case_of(prediction: np.ndarray, reference: np.ndarray) -> LabelCase:
    """A case with all inputs; the probability is the predicted mask."""
    return LabelCase(
        prediction=prediction, reference=reference, probability=prediction * 1.0, spacing_mm=(0.5, 0.5)
    )


def test_the_papers_metrics_are_in_its_order() -> None:
    """The columns of Tables 1 to 5; every one of them is compared."""
    assert PAPER_METRICS == ("Dice", "IoU", "SSIM", "HD95", "VS")
    assert COMPARED_METRICS[:6] == (*PAPER_METRICS, "HD95_missed_as_diagonal")


@pytest.mark.parametrize("name", METRICS)
def test_entry_is_complete(name: str) -> None:
    """The key is the name, the definition is one sentence, and only metrics with a direction are compared."""
    metric = METRICS[name]
    assert metric.name == name
    assert metric.definition.endswith(".")
    assert metric.unit in ("", "px", "mm")
    assert metric.needs_spacing or metric.unit != "mm"
    assert not (metric.is_compared and metric.lower_is_better is None)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.is_shown])
def test_direction_agrees_with_the_function(name: str) -> None:
    """A perfect prediction has a better value than one that is moved by three pixels."""
    metric = METRICS[name]
    perfect = metric.function(case_of(SQUARE, SQUARE))
    moved = metric.function(case_of(np.roll(SQUARE, 3, axis=1)[:, :-3], SQUARE[:, :-3]))
    assert perfect is not None
    assert moved is not None
    if name == "VS":  # of the same size, wherever it is
        assert (perfect, moved) == (1, 1)
    else:
        assert (moved > perfect) == metric.lower_is_better


def test_inputs_that_a_metric_needs() -> None:
    """Without probability and spacing, the metrics that need them do not apply, and say so when called."""
    bare = LabelCase(prediction=SQUARE, reference=SQUARE)
    lacking = {name for name, metric in METRICS.items() if not metric.applies_to(bare)}
    assert lacking == {n for n, metric in METRICS.items() if metric.needs_spacing or metric.needs_probability}
    for name in lacking:
        with pytest.raises(ValueError, match="need"):
            METRICS[name].function(bare)


def test_shared_results_are_computed_once() -> None:
    """Counts and distances belong to the case, so every metric reads the same objects."""
    case = case_of(SQUARE, SQUARE)
    assert case.confusion is case.confusion
    assert case.distances_px is case.distances_px
    assert case.distances_mm is case.distances_mm


def test_numbers_and_names_as_text() -> None:
    """Decimals and units belong to the metric; None is undefined; a list ends with "and"."""
    assert METRICS["Dice"].text(0.93154) == "0.9315"
    assert METRICS["HD95"].text(3.3549) == "3.35"
    assert METRICS["HD95_mm"].text(None) == "undefined"
    assert [METRICS[name].title for name in ("Dice", "HD95", "HD95_mm")] == ["Dice", "HD95 (px)", "HD95_mm"]
    assert listed(["Dice"]) == "Dice"
    assert listed(["Dice", "IoU", "VS"]) == "Dice, IoU and VS"
