import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cervseg.cli.convert import main
from cervseg.dataset.description import read_description
from cervseg.imageio import read_image, read_mask

SIZE = (40, 50)
SQUARE = [[5, 5], [15, 5], [15, 15], [5, 15]]


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, SIZE).astype(np.uint8)


def shape(label: str, points: list[list[float]], kind: str = "polygon", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, **more}


def labelme(path: Path, shapes: list[dict[str, Any]], *, image: str | None = None, **more: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stated = path.stem + ".png" if image is None else image
    content = {"shapes": shapes, "imagePath": stated, "imageHeight": SIZE[0], "imageWidth": SIZE[1]}
    path.write_text(json.dumps({**content, **more}))


def as_png(pixels: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()


def convert(root: Path, source: str, annotations: str, *more: str) -> int:
    given = ["--annotations", str(root / annotations), "--root", str(root), "-d", "105", "--name", "Drawn"]
    return main([source, *given, "--workers", "1", *more])


def masks_of(root: Path) -> dict[str, np.ndarray]:
    folder = root / "raw_data" / "Dataset105_Drawn"
    return {path.stem: read_mask(path) for path in sorted((folder / "labelsTr").iterdir())}


def test_every_kind_of_labelme_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Polygon, rectangle, circle, mask and background; points and lines are counted, the image is kept."""
    cv2.imwrite(str(tmp_path / "a.png"), image(0))
    mask = np.eye(4, dtype=np.uint8) * 255
    shapes = [
        shape("b", [[20, 20], [30, 35]], "rectangle"),
        shape("a", SQUARE),
        shape("background", [[8, 8], [10, 10]], "rectangle"),
        shape("a", [[40, 10], [40, 14]], "circle"),
        shape("b", [[0, 30], [4, 34]], "mask", mask=as_png(mask)),
        shape("a", [[1, 1]], "point"),
        shape("a", [[1, 1], [9, 9]], "line"),
    ]
    labelme(tmp_path / "a.json", shapes)
    assert convert(tmp_path, "labelme", ".") == 0
    found = masks_of(tmp_path)["a"]
    assert int((found[5:15, 5:15] == 1).sum()) == 100 - 4
    assert int((found[20:35, 20:30] == 2).sum()) == 150
    assert int((found[5:16, 35:46] == 1).sum()) == pytest.approx(np.pi * 16, abs=4)
    assert [int(found[30 + k, k]) for k in range(4)] == [2, 2, 2, 2]
    assert "2 points, lines or boxes without an outline are not used" in capsys.readouterr().out
    stored = read_image(tmp_path / "raw_data/Dataset105_Drawn/imagesTr/a_0000.png").pixels[0]
    np.testing.assert_array_equal(stored, image(0))


def test_labels_are_renamed_joined_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--labels chooses and orders, --rename joins; other labels are listed."""
    cv2.imwrite(str(tmp_path / "a.png"), image(0))
    second = [[20, 20], [30, 20], [30, 30], [20, 30]]
    labelme(tmp_path / "a.json", [shape("m1", SQUARE), shape("m2", second), shape("x", SQUARE)])
    code = convert(tmp_path, "labelme", ".", "--labels", "c", "molar", "--rename", "m1=molar", "m2=molar")
    said = capsys.readouterr().out
    assert code == 0
    assert read_description(tmp_path / "raw_data/Dataset105_Drawn").foreground == {"c": 1, "molar": 2}
    assert int((masks_of(tmp_path)["a"] == 2).sum()) == 200
    assert "label 'x' is not in --labels: 1 shape(s) left out" in said
    assert "no shape has the label c" in said


def test_where_the_image_is(tmp_path: Path) -> None:
    """A Windows path, an embedded image, an image with another suffix, a folder of images."""
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images/w.png"), image(1))
    labelme(tmp_path / "json/w.json", [shape("a", SQUARE)], image="..\\images\\w.png")
    labelme(tmp_path / "json/e.json", [shape("a", SQUARE)], image="gone.jpg", imageData=as_png(image(2)))
    cv2.imwrite(str(tmp_path / "json/o.tif"), image(3))
    labelme(tmp_path / "json/o.json", [shape("a", SQUARE)], image="o.jpg")
    assert convert(tmp_path, "labelme", "json") == 0
    assert sorted(masks_of(tmp_path)) == ["e", "o", "w"]
    images = tmp_path / "raw_data/Dataset105_Drawn/imagesTr"
    for case, seed in (("w", 1), ("e", 2), ("o", 3)):
        np.testing.assert_array_equal(read_image(images / f"{case}_0000.png").pixels[0], image(seed))


def test_invalid_labelme_files_are_named_and_the_others_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Invalid JSON, no shapes, bad points, unknown kind, image missing or of another size: exit code 1."""
    cv2.imwrite(str(tmp_path / "good.png"), image(0))
    labelme(tmp_path / "good.json", [shape("a", SQUARE)])
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text('{"a": 1}')
    labelme(tmp_path / "points.json", [shape("a", [[1, 2, 3]])])
    labelme(tmp_path / "kind.json", [shape("a", SQUARE, "spiral")])
    labelme(tmp_path / "gone.json", [shape("a", SQUARE)])
    cv2.imwrite(str(tmp_path / "size.png"), image(0)[:30])
    labelme(tmp_path / "size.json", [shape("a", SQUARE)])
    cv2.imwrite(str(tmp_path / "lone.png"), image(0))
    assert convert(tmp_path, "labelme", ".") == 1
    said = capsys.readouterr().err
    for text in (
        "not valid JSON (line 1",
        "not a LabelMe file",
        "shape 1: its points are not pairs of numbers",
        "shape 1: unknown kind 'spiral'",
        "its image 'gone.png' does not exist",
        "the image has 50 x 30 pixels, its annotation 50 x 40: ",
        "image without annotation: ",
    ):
        assert text in said
    assert sorted(masks_of(tmp_path)) == ["good"]


def coco_file(path: Path, annotations: list[dict[str, Any]], images: list[str]) -> None:
    content = {
        "images": [
            {"id": 10 + number, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
            for number, name in enumerate(images)
        ],
        "categories": [{"id": 7, "name": "late"}, {"id": 3, "name": "early"}],
        "annotations": [{"id": number, **item} for number, item in enumerate(annotations)],
    }
    path.write_text(json.dumps(content))


def test_coco_polygons_runs_and_boxes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels in the order of their ids; polygons, run lengths, a crowd, a box without outline, no areas."""
    (tmp_path / "images").mkdir()
    for number, name in enumerate(("a.png", "b.png")):
        cv2.imwrite(str(tmp_path / "images" / name), image(number))
    flat = [float(value) for point in SQUARE for value in point]
    runs = {"counts": [0, 80, 40 * 50 - 80], "size": list(SIZE)}
    items = [
        {"image_id": 10, "category_id": 7, "segmentation": [flat, [value + 20 for value in flat]]},
        {"image_id": 10, "category_id": 3, "segmentation": runs, "iscrowd": 1},
        {"image_id": 10, "category_id": 3, "segmentation": [], "bbox": [0, 0, 5, 5]},
    ]
    coco_file(tmp_path / "c.json", items, ["deep/a.png", "b.png"])
    assert convert(tmp_path, "coco", "c.json", "--images", str(tmp_path / "images")) == 0
    said = capsys.readouterr().out
    found = masks_of(tmp_path)
    assert read_description(tmp_path / "raw_data/Dataset105_Drawn").foreground == {"early": 1, "late": 2}
    assert (int((found["a"] == 2).sum()), int((found["a"][:, :2] == 1).sum())) == (100 + 100, 80)
    assert not found["b"].any()
    for text in (
        "1 image(s) have none of these labels",
        "1 area(s) are marked as crowds",
        "1 points, lines or boxes",
    ):
        assert text in said


def test_bad_coco_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names what is missing; an image that is invalid or missing is left out."""
    cv2.imwrite(str(tmp_path / "a.png"), image(0))
    cv2.imwrite(str(tmp_path / "b.png"), image(1))
    flat = [float(value) for point in SQUARE for value in point]
    items = [
        {"image_id": 10, "category_id": 3, "segmentation": [flat]},
        {"image_id": 11, "category_id": 3, "segmentation": [[1, 2, 3, 4, 5, 6, 7]]},
        {"image_id": 12, "category_id": 3, "segmentation": [flat]},
    ]
    coco_file(tmp_path / "c.json", items, ["a.png", "b.png", "gone.png"])
    assert convert(tmp_path, "coco", "c.json") == 1
    said = capsys.readouterr().err
    assert "annotation 1: its outline is not a list of x, y" in said
    assert f"no such file: {tmp_path / 'gone.png'}" in said
    assert sorted(masks_of(tmp_path)) == ["a"]
    for content, message in (
        ("{", "not valid JSON"),
        ('{"images": []}', "no list of annotations"),
        ('{"images": [{}], "annotations": [], "categories": []}', "an entry has no id"),
    ):
        (tmp_path / "d.json").write_text(content)
        assert convert(tmp_path, "coco", "d.json", "--overwrite") == 2
        assert message in capsys.readouterr().err
    assert convert(tmp_path, "coco", "no.json", "--overwrite") == 2
    assert sorted(masks_of(tmp_path)) == ["a"]


def test_held_out_images(tmp_path: Path) -> None:
    """Annotations of held-out images go to labelsTs; their labels count too."""
    for part, seed in (("train", 0), ("test", 1)):
        (tmp_path / part).mkdir()
        cv2.imwrite(str(tmp_path / part / f"{part}.png"), image(seed))
        labelme(tmp_path / part / f"{part}.json", [shape(part, SQUARE)])
    assert convert(tmp_path, "labelme", "train", "--test-annotations", str(tmp_path / "test")) == 0
    folder = tmp_path / "raw_data" / "Dataset105_Drawn"
    assert read_description(folder).foreground == {"train": 1, "test": 2}
    assert int((read_mask(folder / "labelsTs/test.png") == 2).sum()) == 100


def test_labels_with_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """NAME=VALUE fixes the numbers; renaming in --labels, and some values only, are answered with a hint."""
    cv2.imwrite(str(tmp_path / "a.png"), image(0))
    labelme(tmp_path / "a.json", [shape("C2", SQUARE), shape("C3", [[20, 20], [30, 20], [30, 30]])])
    assert convert(tmp_path, "labelme", ".", "--labels", "C3=1", "C2=2") == 0
    folder = tmp_path / "raw_data/Dataset105_Drawn"
    assert read_description(folder).foreground == {"C3": 1, "C2": 2}
    assert int((masks_of(tmp_path)["a"] == 2).sum()) == 100
    for labels, message in (
        (["1=C2"], "C2=1"),
        (["C2=axis"], "--rename C2=axis"),
        (["C2=1", "C3"], "'C3' is not NAME=VALUE"),
        (["C2", "C2"], "label 'C2' is repeated"),
        (["C2=2"], "without gaps"),
    ):
        assert convert(tmp_path, "labelme", ".", "--overwrite", "--labels", *labels) == 2
        assert message in capsys.readouterr().err
    assert convert(tmp_path, "labelme", ".", "--overwrite", "--rename", "C2") == 2
    assert "is not ANNOTATED=NAME" in capsys.readouterr().err


def test_auxiliary_labels_are_numbered_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With and without --labels; numbers in another order are refused with the right ones."""
    cv2.imwrite(str(tmp_path / "a.png"), image(0))
    labelme(tmp_path / "a.json", [shape("T1", SQUARE), shape("C7", [[20, 20], [30, 20], [30, 30]])])
    folder = tmp_path / "raw_data/Dataset105_Drawn"
    for labels in ([], ["--labels", "T1", "C7"], ["--labels", "C7=1", "T1=2"]):
        assert convert(tmp_path, "labelme", ".", "--overwrite", *labels, "--auxiliary", "T1") == 0
        assert read_description(folder).trained == {"C7": 1, "T1": 2}
        assert read_description(folder).foreground == {"C7": 1}
        assert int((masks_of(tmp_path)["a"] == 2).sum()) == 100
    capsys.readouterr()
    wrong = ["--labels", "T1=1", "C7=2", "--auxiliary", "T1"]
    assert convert(tmp_path, "labelme", ".", "--overwrite", *wrong) == 2
    assert "C7 = 1, T1 = 2" in capsys.readouterr().err
