import math

import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.evaluation.score import score_case
from cervseg.metrics.table import METRICS


def two_masks():
    """A 20 x 30 reference of 4 x 4 px and a prediction one column to the right."""
    prediction, reference = np.zeros((2, 20, 30), np.uint8)
    reference[5:9, 10:14] = 1
    prediction[5:9, 11:15] = 1
    return prediction, reference


def score(prediction, reference, **options):
    """One case with the label "process" = 1."""
    options = {"labels": {"process": 1}, **options}
    return score_case(case="a", prediction=prediction, reference=reference, **options)


def test_metrics_by_hand():
    """A square moved by one pixel."""
    found = score(*two_masks()).metrics["process"]
    assert (found["TP"], found["FP"], found["FN"], found["TN"]) == (12, 4, 4, 580)
    assert (found["n_pred"], found["n_ref"]) == (16, 16)
    assert found["Dice"] == pytest.approx(24 / 32)
    assert found["IoU"] == pytest.approx(12 / 20)
    assert found["VS"] == 1.0
    assert found["HD95"] == 1.0
    assert found["HD95_max_directed"] == 1.0
    assert found["HD95_missed_as_diagonal"] == 1.0
    assert 0.7 < found["SSIM"] < 1.0
    assert "HD95_mm" not in found
    assert "MAE" not in found


def test_a_case_with_all_inputs_has_every_metric():
    """With probabilities and a spacing, every metric of the table is computed, in the table's order."""
    prediction, reference = two_masks()
    found = score(prediction, reference, probabilities=prediction[None] * 0.5, spacing_mm=(0.1, 0.2))
    assert list(found.metrics["process"]) == list(METRICS)


def test_millimetres_need_a_spacing():
    """With pixels of 0.1 x 0.25 mm, one column is 0.25 mm."""
    found = score(*two_masks(), spacing_mm=(0.1, 0.25))
    assert found.metrics["process"]["HD95_mm"] == pytest.approx(0.25)
    assert found.metrics["process"]["HD95_max_directed_mm"] == pytest.approx(0.25)
    assert found.metrics["process"]["HD95"] == 1.0
    assert found.spacing_mm == (0.1, 0.25)


@pytest.mark.parametrize("swap", [False, True])
def test_one_sided_case_costs_the_diagonal(swap):
    """A missed or invented structure: Dice 0, HD95 undefined, and the diagonal where misses must count."""
    masks = (np.zeros((30, 40), np.uint8), np.ones((30, 40), np.uint8))
    found = score(*(masks[::-1] if swap else masks), spacing_mm=(1.0, 1.0)).metrics["process"]
    assert found["Dice"] == 0
    assert found["HD95"] is None
    assert found["HD95_max_directed"] is None
    assert found["HD95_mm"] is None
    assert found["HD95_missed_as_diagonal"] == math.hypot(30, 40)


def test_both_empty_is_undefined():
    """Nothing there, nothing predicted: no overlap metric and no distance."""
    empty = np.zeros((30, 40), np.uint8)
    found = score(empty, empty).metrics["process"]
    undefined = {key for key, value in found.items() if value is None}
    assert {"Dice", "IoU", "VS", "HD95", "HD95_max_directed", "HD95_missed_as_diagonal"} <= undefined
    assert found["SSIM"] == 1
    assert found["n_ref"] == 0


def test_planes_of_probabilities_follow_the_labels_values():
    """Plane 0 belongs to the smallest value, however the labels are ordered; other values are background."""
    mask = np.zeros((12, 12), np.uint8)
    mask[:6, :6], mask[6:, 6:], mask[0, 11] = 2, 5, 9
    probabilities = np.stack([mask == 2, mask == 5]).astype(np.float16)
    found = score(mask, mask, labels={"late": 5, "early": 2}, probabilities=probabilities)
    assert list(found.metrics) == ["early", "late"]
    for metrics in found.metrics.values():
        assert (metrics["MAE"], metrics["MAE_foreground"], metrics["Dice"]) == (0, 0, 1)


def test_sizes_must_agree():
    """Another size is an error that names the case; so is another number of planes."""
    with pytest.raises(DatasetError, match=r"the prediction has 3 x 4 pixels, the reference 3 x 3: a"):
        score(np.zeros((3, 4), np.uint8), np.zeros((3, 3), np.uint8))
    with pytest.raises(DatasetError, match=r"the probabilities are 2 x 3 x 3, not 1 x 3 x 3: a"):
        score(*np.zeros((2, 3, 3), np.uint8), probabilities=np.zeros((2, 3, 3)))
