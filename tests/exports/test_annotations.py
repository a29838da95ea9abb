import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.cli import convert as convert_command
from cervseg.cli.export_annotations import main
from cervseg.exports.annotations import run_lengths
from cervseg.exports.outlines import bridged, outlines
from cervseg.imageio import read_image, read_mask
from cervseg.phantom.radiograph import make_phantom

NAMES = ("C3", "C4")


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * int((first & second).sum()) / max(1, int(first.sum()) + int(second.sum()))


def write_phantoms(root: Path, num: int = 3) -> None:
    """Masks of two labels, the first with a hole, and their images with a channel number."""
    for name in ("masks", "images"):
        (root / name).mkdir()
    for index in range(num):
        image = make_phantom(seed=5, index=index, long_side_px=600, overlap=False)
        first, second = list(image.level_masks.values())[1:3]
        mask = first + 2 * second * (first == 0)
        row, column = np.round(np.argwhere(first).mean(axis=0)).astype(int)
        mask[row - 1 : row + 2, column - 1 : column + 2] = 0
        cv2.imwrite(str(root / "masks" / f"p{index}.png"), mask)
        cv2.imwrite(str(root / "images" / f"p{index}_0000.png"), image.pixels)


def export(root: Path, *more: str) -> int:
    given = ["-i", str(root / "masks"), "-o", str(root / "out"), "--images", str(root / "images")]
    return main([*given, "--labels", "C3=1", "C4=2", "--workers", "1", *more])


def convert(root: Path, source: str, annotations: Path, *more: str) -> int:
    given = ["--annotations", str(annotations), "-d", "105", "--name", "Back", "--root", str(root)]
    return convert_command.main([source, *given, "--workers", "1", *more])


@pytest.mark.parametrize("file_format", ["labelme", "coco"])
@pytest.mark.parametrize(("tolerance", "least"), [("0", 1.0), ("0.5", 0.99)])
def test_there_and_back(tmp_path: Path, file_format: str, tolerance: str, least: float) -> None:
    """Exported and converted back: equal masks at tolerance 0, Dice 0.99 at 0.5 px; equal images."""
    write_phantoms(tmp_path)
    assert export(tmp_path, "--format", file_format, "--tolerance", tolerance) == 0
    annotations = tmp_path / "out" / ("annotations.json" if file_format == "coco" else "")
    assert convert(tmp_path, file_format, annotations) == 0
    folder = tmp_path / "raw_data" / "Dataset105_Back"
    assert json.loads((folder / "dataset.json").read_text())["labels"] == {"background": 0, "C3": 1, "C4": 2}
    for index in range(3):
        # COCO's image names keep nnU-Net's channel number, which is no part of the case.
        found = read_mask(folder / f"labelsTr/p{index}.png")
        truth = read_mask(tmp_path / f"masks/p{index}.png")
        for value in (1, 2):
            assert dice(found == value, truth == value) >= least
        np.testing.assert_array_equal(
            read_image(folder / f"imagesTr/p{index}_0000.png").pixels,
            read_image(tmp_path / f"images/p{index}_0000.png").pixels,
        )


def test_images_are_copied_beside_their_annotations(tmp_path: Path) -> None:
    """With --copy-images a 16-bit image becomes 8 bits, and LabelMe needs nothing but the folder."""
    write_phantoms(tmp_path, num=1)
    path = tmp_path / "images/p0_0000.png"
    cv2.imwrite(str(path), read_image(path).pixels[0].astype(np.uint16) * 16)
    assert export(tmp_path, "--copy-images") == 0
    stored = json.loads((tmp_path / "out/p0.json").read_text())
    assert (stored["imagePath"], stored["imageData"]) == ("p0.png", None)
    shown = cv2.imread(str(tmp_path / "out/p0.png"), cv2.IMREAD_UNCHANGED)
    assert (shown.dtype, shown.shape) == (np.uint8, (stored["imageHeight"], stored["imageWidth"]))
    assert int(shown.max()) == 255
    assert convert(tmp_path, "labelme", tmp_path / "out") == 0


def test_annotations_are_only_replaced_with_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder with JSON files is not touched, nor are the folders that are read."""
    write_phantoms(tmp_path, num=1)
    assert export(tmp_path) == 0
    assert export(tmp_path) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert export(tmp_path, "--overwrite") == 0
    assert main(["-i", str(tmp_path / "masks"), "-o", str(tmp_path / "masks"), "--labels", "a=1"]) == 2
    assert main(["-i", str(tmp_path / "no"), "-o", str(tmp_path / "o"), "--labels", "a=1"]) == 2


def test_a_folder_of_predictions_needs_no_labels(tmp_path: Path) -> None:
    """The names are those of the dataset.json beside the masks; other files there do not matter."""
    write_phantoms(tmp_path, num=2)
    labels = {"background": 0, "C3": 1, "C4": 2}
    (tmp_path / "masks/dataset.json").write_text(json.dumps({"labels": labels}))
    (tmp_path / "masks/prediction.json").write_text("{}")
    (tmp_path / "masks/overlays").mkdir()
    cv2.imwrite(str(tmp_path / "masks/overlays/p0.png"), np.zeros((20, 20, 3), np.uint8))
    given = ["-i", str(tmp_path / "masks"), "--images", str(tmp_path / "images"), "--workers", "1"]
    assert main([*given, "-o", str(tmp_path / "out")]) == 0
    stored = json.loads((tmp_path / "out/p0.json").read_text())
    assert {shape["label"] for shape in stored["shapes"]} == {"C3", "C4"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p0.json", "p1.json"]
    assert convert(tmp_path, "labelme", tmp_path / "out") == 0


@pytest.mark.parametrize("file_format", ["labelme", "coco"])
def test_without_names_labels_are_values(
    tmp_path: Path, file_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No --labels and no dataset.json: the labels are "1" and "2", with a note; --rename names them later."""
    write_phantoms(tmp_path, num=1)
    given = ["-i", str(tmp_path / "masks"), "--images", str(tmp_path / "images"), "--workers", "1"]
    assert main([*given, "-o", str(tmp_path / "out"), "--format", file_format]) == 0
    assert "the labels are named by their values" in capsys.readouterr().out
    annotations = tmp_path / "out" / ("annotations.json" if file_format == "coco" else "")
    assert convert(tmp_path, file_format, annotations, "--rename", "1=C3", "2=C4") == 0
    stored = json.loads((tmp_path / "raw_data/Dataset105_Back/dataset.json").read_text())
    assert stored["labels"] == {"background": 0, "C3": 1, "C4": 2}


def test_broken_masks_are_named_and_unknown_values_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One truncated mask: exit code 1, the others are written; a value without a label is counted."""
    write_phantoms(tmp_path)
    (tmp_path / "masks/p1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    given = ["-i", str(tmp_path / "masks"), "-o", str(tmp_path / "out"), "--labels", "C3=1"]
    assert main([*given, "--workers", "1"]) == 1
    said = capsys.readouterr()
    assert "left out: is truncated: its end is missing: " in said.err
    assert "p1.png" in said.err
    assert "value 2 has no label: left out of 2 mask(s)" in said.out
    assert "3 image(s) were not found" in said.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p0.json", "p2.json"]


def test_an_outline_by_hand() -> None:
    """A square of 4 with a hole of 2: corners between pixels, area 12; joined, it fills to the mask."""
    mask = np.zeros((8, 9), bool)
    mask[2:6, 3:7] = True
    mask[3:5, 4:6] = False
    (found,) = outlines(mask, tolerance_px=0)
    assert (found.area_px, found.box, len(found.holes)) == (12, (3, 2, 4, 4), 1)
    assert found.outer.min(axis=0).tolist() == [3, 2]
    assert found.outer.max(axis=0).tolist() == [7, 6]
    ring = bridged(found.outer, found.holes)
    fine = np.zeros((80, 90), np.uint8)
    cv2.fillPoly(fine, [np.rint(ring * 10).astype(np.int32)], 1)
    np.testing.assert_array_equal(fine[5::10, 5::10].astype(bool), mask)


def test_run_lengths_by_hand() -> None:
    """Down the columns, starting with zeros, even if there are none."""
    assert run_lengths(np.array([[0, 1, 0], [1, 1, 0]], bool)) == [1, 3, 2]
    assert run_lengths(np.array([[1, 0], [1, 1]], bool)) == [0, 2, 1, 1]
    assert run_lengths(np.zeros((2, 2), bool)) == [4]
