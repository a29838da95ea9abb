import numpy as np

from cervseg.dataset.labels import keep_labels, number_labels


def test_labels_are_numbered_with_the_auxiliary_ones_last() -> None:
    """In the given order otherwise; repeated names count once."""
    found = number_labels(["T1", "C6", "T1", "C7", "rib"], auxiliary=("rib", "T1"))
    assert list(found.items()) == [("C6", 1), ("C7", 2), ("T1", 3), ("rib", 4)]


def test_other_labels_become_background() -> None:
    """But not the white of a mask of one label."""
    mask = np.array([[0, 1, 2, 3]], np.uint8)
    np.testing.assert_array_equal(keep_labels(mask, {"a": 1, "c": 3}), [[0, 1, 0, 3]])
    np.testing.assert_array_equal(keep_labels(mask * 0 + 2, {"a": 1}), np.zeros_like(mask))
    white = np.array([[0, 255]], np.uint8)
    np.testing.assert_array_equal(keep_labels(white, {"a": 1}), white)
