import cv2
import numpy as np
import pytest

from cervseg.convert.labelling import Labelling
from cervseg.core.errors import DatasetError

DISC = np.zeros((64, 80), np.uint8)
cv2.circle(DISC, (40, 30), 17, 1, -1)


@pytest.mark.parametrize(
    "mask", [DISC, DISC * 255, DISC * np.uint8(200), DISC * np.uint16(65535), DISC * 0, DISC * 0 + 255]
)
def test_two_values_are_a_label(mask: np.ndarray) -> None:
    """{0, 1}, {0, 255}, {0, 65535}, empty, full: all pixels that are not 0 are the label."""
    found, was_thresholded = Labelling(label="bone").apply(mask)
    assert (found.dtype, was_thresholded) == (np.uint8, False)
    np.testing.assert_array_equal(found, mask > 0)


def test_jpeg_masks_are_thresholded() -> None:
    """Compression noise around 0 and 255 disappears."""
    noisy = cv2.imdecode(cv2.imencode(".jpg", DISC * 255, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 0)
    assert len(np.unique(noisy)) > 8
    found, was_thresholded = Labelling(label="bone").apply(noisy)
    assert was_thresholded
    np.testing.assert_array_equal(found, DISC)


def test_soft_edges_are_thresholded() -> None:
    """An anti-aliased disc keeps its area within 2 %."""
    soft = cv2.GaussianBlur(DISC * 255, (5, 5), 1)
    found, was_thresholded = Labelling(label="bone").apply(soft)
    assert was_thresholded
    assert abs(int(found.sum()) / int(DISC.sum()) - 1) < 0.02


@pytest.mark.parametrize("values", [[0, 1, 2], [0, 2], [0, 85, 170, 255], [0, 127, 255]])
def test_several_labels_are_not_merged_by_chance(values: list[int]) -> None:
    """A mask with several values needs --labels, and the hint shows how."""
    mask = np.repeat(np.array(values, np.uint8), 100)[np.newaxis]
    with pytest.raises(DatasetError, match=f"--labels name={values[1]}"):
        Labelling(label="bone").apply(mask)


def test_a_map_renumbers_merges_and_drops() -> None:
    """Values 3 and 7 share a number, 8 has its own, and 9 becomes background."""
    labelling = Labelling(names={8: "canine", 3: "incisor", 7: "incisor", 9: "background"})
    assert labelling.labels == {"background": 0, "incisor": 1, "canine": 2}
    found, _ = labelling.apply(np.array([[0, 3, 7, 8, 9]], np.uint16))
    assert found.tolist() == [[0, 1, 1, 2, 0]]
    with pytest.raises(DatasetError, match="the values 1, 2, not in --labels"):
        labelling.apply(np.array([[1, 2, 3]], np.uint8))


@pytest.mark.parametrize("names", [{0: "bone"}, {1: "background"}, {70000: "bone"}])
def test_impossible_maps_are_refused(names: dict[int, str]) -> None:
    """0 is background, something must be foreground, and values fit in 16 bits."""
    with pytest.raises(DatasetError):
        Labelling(names=names)


def test_auxiliary_labels_are_numbered_last() -> None:
    """Whatever their values in the masks; they must be labels, and one label must be left."""
    names = {1: "incisor", 2: "incisor", 3: "canine", 4: "molar"}
    labelling = Labelling(names=names, auxiliary=("molar", "incisor"))
    assert labelling.labels == {"background": 0, "canine": 1, "incisor": 2, "molar": 3}
    found, _ = labelling.apply(np.array([[0, 1, 2, 3, 4]], np.uint8))
    assert found.tolist() == [[0, 2, 2, 1, 3]]
    with pytest.raises(DatasetError, match="'premolar' is not a label"):
        Labelling(names=names, auxiliary=("premolar",))
    with pytest.raises(DatasetError, match="all labels are auxiliary"):
        Labelling(names=names, auxiliary=("molar", "incisor", "canine"))
