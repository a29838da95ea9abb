import numpy as np
import pytest

from cervseg.metrics.label_case import LabelCase
from cervseg.metrics.table import METRICS

pytestmark = [  # MONAI's own warnings
    pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning"),
    pytest.mark.filterwarnings("ignore:the (prediction|ground truth) of class 0 is all 0:UserWarning"),
]

EMPTY, FULL = np.zeros((12, 12), bool), np.ones((12, 12), bool)


def nsd(prediction: np.ndarray, reference: np.ndarray) -> float | None:
    """NSD at 2 px."""
    return METRICS["NSD"].function(LabelCase(prediction=prediction, reference=reference))


def nsd_mm(prediction: np.ndarray, reference: np.ndarray, spacing_mm: tuple[float, float]) -> float | None:
    """NSD at 1 mm."""
    case = LabelCase(prediction=prediction, reference=reference, spacing_mm=spacing_mm)
    return METRICS["NSD_mm"].function(case)


def monai_nsd(
    prediction: np.ndarray,
    reference: np.ndarray,
    tolerance: float,
    spacing: tuple[float, float] | None = None,
) -> float:
    """MONAI's surface Dice of two H x W bool masks."""
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    as_batch = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (prediction, reference)]
    return float(
        metrics.compute_surface_dice(*as_batch, [tolerance], include_background=True, spacing=spacing)
    )


def random_pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of ragged blobs of many sizes; some touch the image's border, some are far apart."""
    rng = np.random.default_rng(8)
    pairs = []
    for _ in range(30):
        height, width = (int(side) for side in rng.integers(14, 90, 2))
        rows, columns = np.mgrid[:height, :width]
        masks = []
        center = rng.uniform(0, (height, width))
        for shift in (0.0, rng.uniform(0, 6)):
            row, column = center + rng.normal(0, shift + 1e-9, 2)
            radius = rng.uniform(3, 12, 2)
            blob = ((rows - row) / radius[0]) ** 2 + ((columns - column) / radius[1]) ** 2 < 1
            blob ^= blob & (rng.random(blob.shape) < 0.1)  # ragged, with holes
            blob[tuple(rng.integers(0, (height, width)))] = True
            masks.append(blob)
        pairs.append((masks[0], masks[1]))
    return pairs


def test_by_hand() -> None:
    """Two rows of pixels, 3 px apart at one end and touching at the other.

    Row 1 has pixels in columns 0 to 4, row 2 in columns 0 to 9. Every pixel is a boundary point. All 5 of the
    first are 1 px from the second. Of the 10 of the second, columns 0 to 4 are 1 px from the first, column 5
    is sqrt(2), column 6 sqrt(5) > 2 away. So 5 + 6 of 15 points are within 2 px.
    """
    prediction, reference = np.zeros((2, 5, 12), bool)
    prediction[1, :5] = reference[2, :10] = True
    assert nsd(prediction, reference) == pytest.approx(11 / 15)
    assert nsd(reference, prediction) == pytest.approx(11 / 15)


def test_points_at_the_tolerance_count() -> None:
    """A pixel moved by 2 px is within 2 px, one moved by 3 px is not."""
    masks = np.zeros((3, 12, 12), bool)
    for mask, column in zip(masks, (2, 4, 5), strict=True):
        mask[3, column] = True
    assert nsd(masks[0], masks[1]) == 1
    assert nsd(masks[0], masks[2]) == 0


def test_points_at_the_tolerance_count_after_rounding() -> None:
    """Five steps of 0.2 mm are 1 mm between any two columns; both masks share the pixel in the corner."""
    prediction, reference = np.zeros((2, 20, 12), bool)
    prediction[0, 0] = reference[0, 0] = prediction[19, 1] = reference[19, 6] = True
    assert 6 * 0.2 - 1 * 0.2 > 1  # by rounding
    assert nsd_mm(prediction, reference, (1.0, 0.2)) == 1
    assert nsd_mm(prediction, reference, (1.0, 0.21)) == 0.5


def test_equals_monai() -> None:
    """In px exactly: MONAI's boundary is the mask minus its cross erosion too, one point per pixel."""
    found = [nsd(*pair) for pair in random_pairs()]
    assert found == pytest.approx([monai_nsd(*pair, 2.0) for pair in random_pairs()], abs=1e-7)
    assert len(set(found)) > 20


@pytest.mark.parametrize("spacing", [(0.31, 0.23), (0.5, 0.143)])
def test_in_mm_equals_monai(spacing: tuple[float, float]) -> None:
    """With pixels that are not square, of which no multiple is at the tolerance."""
    for pair in random_pairs():
        assert nsd_mm(*pair, spacing) == pytest.approx(monai_nsd(*pair, 1.0, spacing), abs=1e-7)


def test_undefined_where_both_masks_are_empty() -> None:
    """There is no boundary; MONAI's value is NaN."""
    assert nsd(EMPTY, EMPTY) is None
    assert nsd_mm(EMPTY, EMPTY, (0.2, 0.2)) is None
    assert np.isnan(monai_nsd(EMPTY, EMPTY, 2.0))


@pytest.mark.parametrize("masks", [(EMPTY, FULL), (FULL, EMPTY)])
def test_zero_where_one_mask_is_empty(masks: tuple[np.ndarray, np.ndarray]) -> None:
    """A missed or invented structure lowers the mean; MONAI's value is 0 too."""
    assert nsd(*masks) == 0
    assert nsd_mm(*masks, (0.2, 0.2)) == 0
    assert monai_nsd(*masks, 2.0) == 0


def test_same_mask_is_one() -> None:
    """A mask and itself, at the image's border too."""
    for mask in (FULL, np.eye(7, dtype=bool), np.ones((1, 1), bool)):
        assert nsd(mask, mask) == 1
