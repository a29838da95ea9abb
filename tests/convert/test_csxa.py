import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.cli.convert import main
from cervseg.convert.keypoints import KEYPOINTS, read_keypoints
from cervseg.convert.table import Columns, read_table
from cervseg.core.errors import DatasetError
from cervseg.dataset.attributes import CaseAttributes, read_attributes
from cervseg.dataset.description import read_description
from cervseg.dataset.landmarks import read_landmarks
from cervseg.imageio import read_mask

SIZE = (60, 50)


def keypoint_file(path: Path, names: tuple[str, ...] = KEYPOINTS) -> None:
    shapes = [{"label": name, "points": [[KEYPOINTS.index(name) + 1.5, 20.0]]} for name in names]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"shapes": shapes, "imagePath": path.stem + ".png"}))


def write_atlas(root: Path, ids: tuple[str, ...] = ("0001035", "0002135", "0003027")) -> None:
    for number, image in enumerate(ids):
        pixels = np.random.default_rng(number).integers(0, 255, SIZE).astype(np.uint8)
        (root / "png").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "png" / f"{image}.png"), np.repeat(pixels[..., np.newaxis], 3, axis=2))
        keypoint_file(root / "json" / f"{image}.json")


def convert(root: Path, *more: str) -> int:
    given = ["--images", str(root / "png"), "--keypoints", str(root / "json"), "--root", str(root)]
    return main(["csxa", *given, "-d", "104", "--name", "Atlas", "--workers", "1", *more])


def test_without_masks_there_are_no_training_cases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All images are in imagesTs, key points in landmarks/, and a note says so."""
    write_atlas(tmp_path)
    assert convert(tmp_path) == 0
    assert "warning: the dataset has no training cases" in capsys.readouterr().out
    folder = tmp_path / "raw_data" / "Dataset104_Atlas"
    assert read_description(folder).num_training == 0
    assert len(list((folder / "imagesTs").iterdir())) == 3
    found = read_landmarks(folder, "0001035")
    assert found is not None
    assert (len(found.points), found.points["C2 bottom left"], found.source) == (23, (2.5, 20.0), "CSXA")
    assert read_landmarks(folder, "0009999") is None
    assert read_attributes(folder) == {}


def test_masks_table_and_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One training and one test mask; pixel sizes, sex and age come from the table, else from names."""
    write_atlas(tmp_path)
    for folder, image in (("masks", "0001035"), ("test", "0002135")):
        (tmp_path / folder).mkdir()
        mask = np.zeros(SIZE, np.uint8)
        mask[10:20, 10:30] = 255
        cv2.imwrite(str(tmp_path / folder / f"{image}_mask.png"), mask)
    # A spreadsheet drops leading zeros and may separate by semicolons.
    (tmp_path / "t.csv").write_text(
        "No;name;mm/px;Sex;Age\n1035;Ann Other;0,15;F;35\n2135;Bob Other;143;M;x\n", encoding="utf-8-sig"
    )
    code = convert(
        tmp_path,
        *("--masks", str(tmp_path / "masks"), "--test-masks", str(tmp_path / "test")),
        *("--spacing-table", str(tmp_path / "t.csv"), "--id-column", "No", "--spacing-column", "mm/px"),
        *("--sex-column", "Sex", "--age-column", "Age"),
        *("--name-pattern", r"\d{4}(?P<sex>\d)(?P<age>\d\d)"),
    )
    said = capsys.readouterr().out
    assert code == 0
    assert "1 training and 2 test images" in said
    assert "1 of 3 image(s) have a pixel size" in said
    assert "0002135: '143' is not a pixel size in mm" in said
    folder = tmp_path / "raw_data" / "Dataset104_Atlas"
    assert read_description(folder).spacing_mm == {"0001035": (0.15, 0.15)}
    assert read_attributes(folder) == {
        "0001035": CaseAttributes(sex="F", age_years=35),
        "0002135": CaseAttributes(sex="M"),
        "0003027": CaseAttributes(sex="0", age_years=27),
    }
    assert "Other" not in "".join(p.read_text() for p in folder.rglob("*.csv"))
    assert set(np.unique(read_mask(folder / "labelsTr/0001035.png"))) == {0, 1}
    assert (folder / "labelsTs/0002135.png").is_file()
    assert not (folder / "labelsTs/0003027.png").exists()


def test_keypoints_are_found_by_their_labels(tmp_path: Path) -> None:
    """In any order and spelling; unknown and repeated ones are listed, missing ones are left out."""
    path = tmp_path / "0001035.json"
    shapes = [
        {"label": "c7_Top  Left ", "points": [[1, 2]]},
        {"label": "C2 centroid", "points": [[3, 4]], "shape_type": "point"},
        {"label": "C2 centroid", "points": [[9, 9]]},
        {"label": "T1 top left", "points": [[5, 6]]},
    ]
    path.write_text(json.dumps({"shapes": shapes}))
    found = read_keypoints(path)
    assert found.landmarks.points == {"C2 centroid": (3.0, 4.0), "C7 top left": (1.0, 2.0)}
    assert (found.unknown, found.repeated) == (("T1 top left",), ("C2 centroid",))


def test_unusable_files_are_named_and_the_others_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names without digits, truncated images, invalid JSON, points without an image, missing points."""
    write_atlas(tmp_path, ("0001035", "0002135", "0003027", "0004160"))
    (tmp_path / "png/cover.png").write_bytes((tmp_path / "png/0001035.png").read_bytes())
    (tmp_path / "png/0002135.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "json/0003027.json").write_text("{")
    keypoint_file(tmp_path / "json/0004160.json", KEYPOINTS[:22])
    keypoint_file(tmp_path / "json/0005160.json")
    assert convert(tmp_path) == 1
    said = capsys.readouterr()
    assert "1 image(s) lack some of the 23 key points: C7 bottom right (1)" in said.out
    for text in ("is truncated: its end is missing: ", "not valid JSON", "key points without an image: "):
        assert text in said.err
    assert "name does not begin with seven digits: " in said.err
    assert len(said.err.splitlines()) == 4
    folder = tmp_path / "raw_data" / "Dataset104_Atlas"
    assert {path.stem for path in (folder / "landmarks").iterdir()} == {"0001035", "0004160"}


def test_an_image_is_never_both_training_and_test(tmp_path: Path) -> None:
    """A mask in both folders is an error."""
    write_atlas(tmp_path)
    (tmp_path / "masks").mkdir()
    cv2.imwrite(str(tmp_path / "masks" / "0001035.png"), np.ones(SIZE, np.uint8))
    assert convert(tmp_path, "--masks", str(tmp_path / "masks"), "--test-masks", str(tmp_path / "masks")) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,mm\n1,0.1\n", "no column 'No'"),
        ("No,mm\n1,150\n2,143\n", "has no pixel sizes in mm"),
        ("", "no column 'No'"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, text: str, message: str) -> None:
    """A missing column and another unit are errors."""
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_table(tmp_path / "t.csv", Columns(id="No", spacing="mm"))
    with pytest.raises(DatasetError, match="Save it as CSV"):
        read_table(tmp_path / "t.xlsx", Columns(id="No", spacing="mm"))


def test_columns_need_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table needs its columns, and a pattern its groups."""
    write_atlas(tmp_path)
    assert convert(tmp_path, "--spacing-column", "mm") == 2
    (tmp_path / "t.csv").write_text("No,mm\n1035,0.1\n")
    assert convert(tmp_path, "--table", str(tmp_path / "t.csv"), "--id-column", "No") == 2
    assert convert(tmp_path, "--name-pattern", r"\d+") == 2
    assert convert(tmp_path, "--name-pattern", r"(") == 2
    assert "no group called sex or age" in capsys.readouterr().err
