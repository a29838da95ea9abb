from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.evaluation.agreement import agree


def rater(folder: Path, *, shift: int, images: tuple[str, ...] = ("a", "b")) -> Path:
    """A square of 20 px an image, moved to the right by ``shift`` px."""
    folder.mkdir()
    for image in images:
        mask = np.zeros((60, 60), np.uint8)
        mask[20:40, 20 + shift : 40 + shift] = 1
        cv2.imwrite(str(folder / f"{image}.png"), mask)
    return folder


def test_every_pair_by_hand(tmp_path: Path) -> None:
    """Squares moved by s px overlap in 20 (20 - s) of 400 px: Dice = 1 - s / 20."""
    raters = {name: rater(tmp_path / name, shift=shift) for name, shift in (("A", 0), ("B", 2), ("C", 4))}
    model = {"net": rater(tmp_path / "net", shift=1)}
    found = agree(raters, model, progress=False)
    dice = {(pair.first, pair.second): pair.estimates["Dice"].mean for pair in found.pairs}
    expected = {("A", "B"): 0.9, ("A", "C"): 0.8, ("B", "C"): 0.9}
    expected |= {("A", "net"): 0.95, ("B", "net"): 0.95, ("C", "net"): 0.85}
    assert dice == pytest.approx(expected)
    means = {name: group["Dice"].mean for name, group in found.groups.items()}
    expected_means = {"raters with raters": 2.6 / 3, "net with raters": 2.75 / 3, "net minus raters": 0.05}
    assert means == pytest.approx(expected_means)
    assert found.pairs[0].estimates["VS"].mean == 1
    assert found.images == ("a", "b")


def test_roles_do_not_matter(tmp_path: Path) -> None:
    """Every metric is symmetric."""
    a, b = rater(tmp_path / "a", shift=0), rater(tmp_path / "b", shift=3)
    one = agree({"x": a, "y": b}, {}, progress=False).pairs[0].estimates
    other = agree({"y": b, "x": a}, {}, progress=False).pairs[0].estimates
    for metric, estimate in one.items():
        assert other[metric].mean == pytest.approx(estimate.mean), metric


def test_images_of_one_alone_and_of_other_sizes_are_named(tmp_path: Path) -> None:
    """They are in no mean."""
    a = rater(tmp_path / "a", shift=0, images=("a", "b", "c", "d"))
    b = rater(tmp_path / "b", shift=0, images=("a", "b", "e"))
    cv2.imwrite(str(b / "b.png"), np.ones((30, 30), np.uint8))
    found = agree({"x": a, "y": b}, {}, progress=False)
    assert found.images == ("a",)
    assert found.left_out["c"] == "no mask by y"
    assert found.left_out["e"] == "no mask by x"
    assert "30 x 30" in found.left_out["b"]


def test_all_pairs_are_judged_on_the_same_images(tmp_path: Path) -> None:
    """An image that the model lacks is in no rater's mean either."""
    a = rater(tmp_path / "a", shift=0, images=("a", "b"))
    b = rater(tmp_path / "b", shift=2, images=("a", "b"))
    net = rater(tmp_path / "net", shift=1, images=("a",))
    cv2.imwrite(str(b / "b.png"), np.zeros((60, 60), np.uint8))
    found = agree({"x": a, "y": b}, {"net": net}, progress=False)
    assert (found.images, dict(found.left_out)) == (("a",), {"b": "no mask by net"})
    assert found.groups["raters with raters"]["Dice"].mean == pytest.approx(0.9)


def test_no_image_that_all_have(tmp_path: Path) -> None:
    """Every pair shares an image, but all three share none."""
    x = rater(tmp_path / "x", shift=0, images=("a", "b"))
    y = rater(tmp_path / "y", shift=0, images=("b", "c"))
    net = rater(tmp_path / "net", shift=0, images=("a", "c"))
    with pytest.raises(DatasetError, match="no image has a mask by all") as caught:
        agree({"x": x, "y": y}, {"net": net}, progress=False)
    assert caught.value.hint == "For example a: no mask by y"


def test_a_label_that_only_some_pairs_hold_counts_for_all(tmp_path: Path) -> None:
    """Only C marks a second bone: A and B agree that there is none, C is wrong about it with either.

    A - B: Dice of label 1 alone, as label 2 is undefined. A - C: (Dice of label 1 + 0) / 2.
    """
    folders = {name: rater(tmp_path / name, shift=shift) for name, shift in (("A", 0), ("B", 2), ("C", 0))}
    for image in ("a", "b"):
        mask = cv2.imread(str(folders["C"] / f"{image}.png"), cv2.IMREAD_UNCHANGED)
        mask[0:5, 0:5] = 2
        cv2.imwrite(str(folders["C"] / f"{image}.png"), mask)
    found = agree(folders, {}, progress=False)
    dice = {(pair.first, pair.second): pair.estimates["Dice"].mean for pair in found.pairs}
    assert dice == pytest.approx({("A", "B"): 0.9, ("A", "C"): 0.5, ("B", "C"): 0.45})
    assert found.pairs[0].estimates["SSIM"].mean > found.pairs[2].estimates["SSIM"].mean


def test_a_rater_who_marked_nothing_is_counted(tmp_path: Path) -> None:
    """HD95 is undefined in that image, for the group of pairs too; Dice is 0."""
    a, b = rater(tmp_path / "a", shift=0), rater(tmp_path / "b", shift=0)
    cv2.imwrite(str(b / "b.png"), np.zeros((60, 60), np.uint8))
    found = agree({"x": a, "y": b}, {}, progress=False)
    for estimates in (found.pairs[0].estimates, found.groups["raters with raters"]):
        assert (estimates["HD95"].mean, estimates["HD95"].num_undefined) == (0, 1)
        assert estimates["Dice"].mean == pytest.approx(0.5)


def test_too_few_folders(tmp_path: Path) -> None:
    """One folder agrees with nobody; a model is no rater."""
    a = rater(tmp_path / "a", shift=0)
    for raters, models in (({"x": a}, {}), ({}, {"x": a, "y": a})):
        with pytest.raises(DatasetError, match="two folders"):
            agree(raters, models, progress=False)
    with pytest.raises(DatasetError, match="a rater and of a model"):
        agree({"x": a}, {"x": a}, progress=False)
