import numpy as np

from cervseg.postprocessing.threshold import to_mask


def test_most_probable_label_above_the_threshold() -> None:
    """The label with the largest probability is selected above the threshold, else background."""
    probabilities = np.array([[[0.6, 0.2, 0.9]], [[0.7, 0.4, 0.1]]], dtype=np.float32)
    np.testing.assert_array_equal(to_mask(probabilities, labels={"a": 1, "b": 3}), [[3, 0, 1]])


def test_a_pixel_of_an_auxiliary_label_is_background() -> None:
    """Auxiliary labels compete for a pixel, also where the shown label is above the threshold."""
    probabilities = np.array([[[0.6, 0.6, 0.9]], [[0.7, 0.4, 0.1]]], dtype=np.float32)
    found = to_mask(probabilities, labels={"C7": 1, "T1": 2}, auxiliary=("T1",))
    np.testing.assert_array_equal(found, [[0, 1, 1]])
