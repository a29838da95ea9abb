import numpy as np
import pytest
from scipy import ndimage

from cervseg.metrics.surface import boundary, surface_distances

pytestmark = pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")  # MONAI's own


def blobs(rng, *, size, num_blobs, shift=0.0):
    """Ellipses with ragged outlines, as H x W bool; ``shift`` moves and grows them at random."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    mask = np.zeros(size, bool)
    places = np.random.default_rng(99)
    for _ in range(num_blobs):
        row, column = places.uniform(0, size[0]), places.uniform(0, size[1])
        height, width = places.uniform(1, size[0] / 6), places.uniform(1, size[1] / 6)
        row, column = row + rng.normal(0, shift), column + rng.normal(0, shift)
        mask |= ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 < 1
    return mask


def brute_force(prediction, reference, spacing=(1.0, 1.0)):
    """All pairs of boundary points, in float64."""
    sets = []
    for mask in (prediction, reference):
        edge = mask & ~ndimage.binary_erosion(mask)
        sets.append(np.argwhere(edge) * np.asarray(spacing, float))
    pairs = np.sqrt(((sets[0][:, None] - sets[1][None]) ** 2).sum(-1))
    return pairs.min(1), pairs.min(0)


def monai_hd95(prediction, reference, spacing=None):
    """MONAI's HD95 of two H x W bool masks."""
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    as_batch = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (prediction, reference)]
    found = metrics.compute_hausdorff_distance(
        *as_batch, include_background=True, percentile=95, spacing=spacing
    )
    return float(found)


def random_pairs(num_pairs=12):
    """Pairs of masks of many sizes, some touching the border, some with a far speck."""
    rng = np.random.default_rng(5)
    for index in range(num_pairs):
        size = tuple(int(side) for side in rng.integers(12, 90, 2))
        prediction = blobs(rng, size=size, num_blobs=3, shift=2.0)
        reference = blobs(rng, size=size, num_blobs=3)
        if index % 3 == 0:
            prediction[0, -1] = True
        prediction[tuple(rng.integers(0, size))] = reference[tuple(rng.integers(0, size))] = True
        yield prediction, reference


def test_by_hand():
    """Two single pixels 3 rows and 4 columns apart are 5 px apart, both ways and in both definitions."""
    prediction, reference = np.zeros((2, 10, 10), bool)
    prediction[1, 1] = reference[4, 5] = True
    found = surface_distances(prediction, reference)
    assert found.prediction_to_reference.tolist() == [5.0]
    assert found.reference_to_prediction.tolist() == [5.0]
    assert (found.hd95, found.hd95_max_directed) == (5.0, 5.0)


def test_pooled_and_max_directed_differ_by_hand():
    """19 pixels that agree and one far false speck: pooling halves its weight, the maximum does not."""
    prediction, reference = np.zeros((2, 3, 60), bool)
    prediction[1, :19] = reference[1, :19] = True
    prediction[1, 38] = True  # 20 px from the nearest reference pixel
    found = surface_distances(prediction, reference)
    # 39 pooled values: rank 0.95 * 38 = 36.1 lies among the zeros. 20 directed ones: rank 18.05.
    assert found.hd95 == 0.0
    assert found.hd95_max_directed == pytest.approx(0.05 * 20)


def test_equals_brute_force():
    """Both directed sets, in their order, equal all pairs of boundary points."""
    for prediction, reference in random_pairs():
        found = surface_distances(prediction, reference)
        forth, back = brute_force(prediction, reference)
        np.testing.assert_allclose(found.prediction_to_reference, forth, rtol=1e-14)
        np.testing.assert_allclose(found.reference_to_prediction, back, rtol=1e-14)
        assert found.hd95 == pytest.approx(np.percentile(np.concatenate([forth, back]), 95), rel=1e-14)


@pytest.mark.parametrize("spacing", [(0.2, 0.2), (0.15, 0.4), (2.0, 0.5)])
def test_spacing_equals_brute_force(spacing):
    """Square and other pixels: distances in the spacing's unit."""
    for prediction, reference in random_pairs(6):
        found = surface_distances(prediction, reference, spacing=spacing)
        forth, back = brute_force(prediction, reference, spacing)
        np.testing.assert_allclose(found.prediction_to_reference, forth, rtol=1e-12)
        np.testing.assert_allclose(found.reference_to_prediction, back, rtol=1e-12)


def test_max_directed_equals_monai():
    """hd95_max_directed is what MONAI computes (in float32)."""
    for prediction, reference in random_pairs():
        found = surface_distances(prediction, reference)
        assert found.hd95_max_directed == pytest.approx(monai_hd95(prediction, reference), rel=2e-6, abs=1e-6)


def test_max_directed_equals_monai_with_spacing():
    """The same with pixels that are not square."""
    for prediction, reference in random_pairs(4):
        found = surface_distances(prediction, reference, spacing=(0.3, 0.2))
        expected = monai_hd95(prediction, reference, spacing=[0.3, 0.2])
        assert found.hd95_max_directed == pytest.approx(expected, rel=2e-6, abs=1e-6)


def test_boundary_counts_the_border_as_outside():
    """A mask that fills the image has the image's frame as its boundary; so says SciPy's erosion."""
    full = np.ones((6, 9), bool)
    expected = full.copy()
    expected[1:-1, 1:-1] = False
    assert np.array_equal(boundary(full), expected)
    for mask, _ in random_pairs():
        assert np.array_equal(boundary(mask), mask ^ ndimage.binary_erosion(mask))


def test_masks_at_the_border():
    """Structures cut by the image's edge: cropping must not invent or lose boundary points."""
    prediction, reference = np.zeros((2, 20, 30), bool)
    prediction[:5, :7] = True
    reference[:6, :9] = True
    reference[15:, 22:] = prediction[14:, 25:] = True
    found = surface_distances(prediction, reference)
    forth, back = brute_force(prediction, reference)
    np.testing.assert_allclose(found.prediction_to_reference, forth)
    np.testing.assert_allclose(found.reference_to_prediction, back)
    assert found.hd95_max_directed == pytest.approx(monai_hd95(prediction, reference), rel=1e-6)


def test_undefined_where_a_mask_is_empty():
    """No outline on one side or both: None, never zero."""
    empty, full = np.zeros((8, 8), bool), np.ones((8, 8), bool)
    assert surface_distances(empty, empty) is None
    assert surface_distances(empty, full) is None
    assert surface_distances(full, empty) is None


def test_same_mask_is_zero():
    """A mask against itself, 1 x 1 images too."""
    for mask in (np.ones((1, 1), bool), np.eye(7, dtype=bool), np.ones((5, 5), bool)):
        found = surface_distances(mask, mask)
        assert (found.hd95, found.hd95_max_directed) == (0.0, 0.0)


def test_far_outliers():
    """One false pixel in the far corner of an image of 3000 px: exact, in float64, both ways."""
    prediction, reference = np.zeros((2, 3000, 3000), bool)
    prediction[10:20, 10:20] = reference[10:20, 11:21] = True
    prediction[2999, 2998] = True
    found = surface_distances(prediction, reference)
    assert found.prediction_to_reference.max() == np.hypot(2999 - 19, 2998 - 20)
    forth, back = brute_force(prediction, reference)
    np.testing.assert_allclose(found.prediction_to_reference, forth, rtol=1e-15)
    np.testing.assert_allclose(found.reference_to_prediction, back, rtol=1e-15)


def test_order_of_arguments_does_not_matter():
    """Both HD95 are symmetric, and the inputs are left as they were."""
    for prediction, reference in random_pairs(4):
        kept = prediction.copy()
        one, two = surface_distances(prediction, reference), surface_distances(reference, prediction)
        assert (one.hd95, one.hd95_max_directed) == (two.hd95, two.hd95_max_directed)
        assert np.array_equal(prediction, kept)


def test_views_are_measured_like_copies():
    """A strided view (a transposed mask) gives what its copy gives."""
    for prediction, reference in random_pairs(3):
        found = surface_distances(prediction.T, reference.T)
        assert found.hd95 == surface_distances(prediction, reference).hd95


def test_bad_arguments_are_refused():
    """Sizes that differ and spacings that are no lengths."""
    mask = np.ones((4, 4), bool)
    with pytest.raises(ValueError, match="shapes differ"):
        surface_distances(mask, mask[:3])
    for spacing in ((0.0, 1.0), (1.0, float("nan")), (-1.0, -1.0)):
        with pytest.raises(ValueError, match="spacing"):
            surface_distances(mask, mask, spacing=spacing)
