import numpy as np
import pytest

from cervseg.metrics.overlap import confusion


def test_counts_and_metrics_by_hand():
    """Two masks of 6 and 4 pixels that share 3: every number worked out by hand."""
    prediction, reference = np.zeros((4, 5), bool), np.zeros((4, 5), bool)
    prediction[1, :3] = prediction[2, :3] = True
    reference[1, 1:4] = True
    reference[2, 2] = True
    found = confusion(prediction, reference)
    assert (found.num_tp, found.num_fp, found.num_fn, found.num_tn) == (3, 3, 1, 13)
    assert found.num_prediction == 6
    assert found.num_reference == 4
    assert found.dice == pytest.approx(6 / 10)
    assert found.iou == pytest.approx(3 / 7)
    assert found.volume_similarity == pytest.approx(1 - 2 / 10)


def test_both_empty_is_undefined():
    """Nothing predicted where nothing is: every metric is undefined, not zero or one."""
    found = confusion(np.zeros((3, 3), bool), np.zeros((3, 3), bool))
    assert (found.dice, found.iou, found.volume_similarity) == (None, None, None)
    assert found.num_tn == 9


@pytest.mark.parametrize("swap", [False, True])
def test_one_empty_is_zero(swap):
    """A missed and an invented structure score 0 in all three metrics."""
    masks = [np.zeros((3, 3), bool), np.ones((3, 3), bool)]
    found = confusion(*(masks[::-1] if swap else masks))
    assert (found.dice, found.iou, found.volume_similarity) == (0, 0, 0)


def test_same_mask_is_one():
    """A mask against itself, the whole image too."""
    for mask in (np.eye(5, dtype=bool), np.ones((5, 5), bool)):
        found = confusion(mask, mask)
        assert (found.dice, found.iou, found.volume_similarity) == (1, 1, 1)


def test_counts_add_up_on_random_masks():
    """Counts equal a pixel-by-pixel tally and add up to the image."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        prediction, reference = rng.random((2, 17, 23)) < rng.random()
        found = confusion(prediction, reference)
        tally = dict.fromkeys(((1, 1), (1, 0), (0, 1), (0, 0)), 0)
        for p, r in zip(prediction.flat, reference.flat, strict=True):
            tally[int(p), int(r)] += 1
        assert [found.num_tp, found.num_fp, found.num_fn, found.num_tn] == list(tally.values())


def test_shapes_must_agree():
    """Broadcasting two sizes would be silent nonsense."""
    with pytest.raises(ValueError, match="shapes differ"):
        confusion(np.zeros((3, 3), bool), np.zeros((3, 1), bool))
