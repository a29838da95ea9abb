import numpy as np

from cervseg.postprocessing.threshold import to_mask


def test_most_probable_label_above_the_threshold() -> None:
    """The label with the largest probability is selected above the threshold, else background."""
    probabilities = np.array([[[0.6, 0.2, 0.9]], [[0.7, 0.4, 0.1]]], dtype=np.float32)
    np.testing.assert_array_equal(to_mask(probabilities, labels={"a": 1, "b": 3}), [[3, 0, 1]])
