"""Points from files and masks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.core.errors import CervsegError, DatasetError, ImageError
from cervseg.inference.inputs import ImageJob
from cervseg.inference.prompt_source import ORACLE, PromptSource
from cervseg.inference.prompts import MaskFolder, PointsFile, read_prompts
from cervseg.inference.run_record import RunRecord, prompts_of, read_run_record
from tests.shapes import disc_image

ONE, TWO = {"process": 1}, {"c7": 7, "c3": 3}
SIZE = (80, 120)


def job(image: str = "a.png", mask: str | None = None) -> ImageJob:
    """Return a job: one image and the name of its mask."""
    return ImageJob(images=(Path("images") / image,), mask=Path("out") / (mask or image))


def written(path: Path, content: object) -> Path:
    """Write a text, or a value as JSON."""
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    "text",
    [
        "image,x,y\na.png,10,20\nb.png,5,6\na.png,30.5,40\n",
        "Image;X;Y;label\na.png;10;20;\nb.png;5;6;process\na.png;30.5;40;1\n",
        "\ufeffimage, x, y\r\na, 10, 20\r\na, 30.5, 40\r\nb, 5, 6\r\n",
        "y\tx\timage\n20\t10\ta\n40\t30.5\ta\n6\t5\tb\n",
    ],
    ids=["commas", "semicolons and labels", "byte order mark and stems", "tabs in another order"],
)
def test_tables(tmp_path: Path, text: str) -> None:
    """Tables have the columns image, x and y, any delimiter, and names with or without suffix."""
    prompts = PointsFile.read(written(tmp_path / "p.csv", text), labels=ONE)
    assert prompts(job("a.png"), SIZE).tolist() == [[10, 20, 1], [30.5, 40, 1]]
    assert prompts(job("b.png"), SIZE).tolist() == [[5, 6, 1]]


def test_json_with_labels_and_images_without_any(tmp_path: Path) -> None:
    """Labels are names or values; an empty list is an image with nothing to segment."""
    content = {"a": [[1, 2, "c7"], [3, 4, 3]], "b.png": []}
    prompts = PointsFile.read(written(tmp_path / "p.json", content), labels=TWO)
    assert prompts(job("a.png"), SIZE).tolist() == [[1, 2, 7], [3, 4, 3]]
    assert prompts(job("b.png"), SIZE).shape == (0, 3)
    with pytest.raises(ImageError, match="no points for this image"):
        prompts(job("c.png"), SIZE)


def test_names_of_images(tmp_path: Path) -> None:
    """Points are found by the name of file, mask or channel; images of one stem are kept apart."""
    content = {"a.png": [[1, 1]], "b": [[2, 2]], "c_0000": [[3, 3]], "d": [[4, 4]]}
    prompts = PointsFile.read(written(tmp_path / "p.json", content), labels=ONE)
    for found in (
        job("a.png"),
        job("b_0000.png", "b.png"),
        job("c_0000.png", "c.png"),
        job("d.dcm", "d.png"),
    ):
        assert len(prompts(found, SIZE)) == 1
    with pytest.raises(ImageError):
        prompts(job("d.jpg", "d_jpg.png"), SIZE)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.json", "{", "not valid JSON"),
        ("p.json", [[1, 2]], "does not map images to lists of points"),
        ("p.json", {"a": [1, 2]}, r"\[1\] is not a point"),
        ("p.json", {"a": [[1, 2, 3, 4]]}, "is not a point"),
        ("p.json", {"a": [[1, "left"]]}, "is not a point"),
        ("p.json", '{"a": [[1, NaN]]}', "is not a point"),
        ("p.json", {"a": [[1, 2, "c9"]]}, r"(?s)unknown label 'c9'.*process \(1\)"),
        ("p.csv", "image,x\na,1\n", "columns image, x and y are missing"),
        ("p.csv", "image,x,y\na,1,2\nb,one,2\n", r"(?s)is not a point|line 3"),
        ("p.csv", "image,x,y\na,1\n", r"(?s)is not a point|line 2"),
        ("p.csv", "", "columns image, x and y are missing"),
    ],
)
def test_mistakes_are_located(tmp_path: Path, name: str, content: object, message: str) -> None:
    """The error has what is wrong, where, and an example."""
    with pytest.raises(CervsegError, match=message) as caught:
        PointsFile.read(written(tmp_path / name, content), labels=ONE)
    assert str(tmp_path) in caught.value.where


def test_a_missing_file_and_a_missing_label(tmp_path: Path) -> None:
    """A missing file is an error; with several labels each point needs one."""
    for name in ("no.json", "no.csv"):
        with pytest.raises(CervsegError, match=name):
            PointsFile.read(tmp_path / name, labels=ONE)
    path = written(tmp_path / "p.json", {"a": [[1, 2]]})
    with pytest.raises(CervsegError, match=r"(?s)label is missing.*c7 \(7\), c3 \(3\)"):
        PointsFile.read(path, labels=TWO)


def masks(folder: Path, **images: np.ndarray) -> Path:
    """Write a folder of PNG masks."""
    folder.mkdir(exist_ok=True)
    for name, mask in images.items():
        cv2.imwrite(str(folder / f"{name}.png"), mask)
    return folder


def test_centroids_of_masks(tmp_path: Path) -> None:
    """Each component gives one point, whatever its value; an empty mask gives none."""
    discs = [(20, 20, 1), (60, 40, 1), (100, 60, 1)]
    _, mask = disc_image(SIZE, discs)
    many = disc_image(SIZE, [(x, y, 4 + index) for index, (x, y, _) in enumerate(discs)])[1]
    folder = masks(tmp_path / "m", a=mask, b=mask * 255, c=many, d=mask * 0)
    prompts = MaskFolder.read(folder, labels={"process": 2})
    for name in "abc":
        assert sorted(prompts(job(f"{name}.png"), SIZE).tolist()) == [[20, 20, 2], [60, 40, 2], [100, 60, 2]]
    assert prompts(job("d.png"), SIZE).shape == (0, 3)
    several = MaskFolder.read(
        masks(tmp_path / "n", a=disc_image(SIZE, [(20, 20, 7), (60, 40, 3)])[1]), labels=TWO
    )
    assert sorted(several(job("a.jpg", "a.png"), SIZE).tolist()) == [[20, 20, 7], [60, 40, 3]]


def test_masks_that_give_no_points(tmp_path: Path) -> None:
    """A missing mask, another size and an unknown value are errors."""
    folder = masks(tmp_path / "m", a=np.ones((10, 20), np.uint8), b=np.full(SIZE, 5, np.uint8))
    prompts = MaskFolder.read(folder, labels=TWO)
    with pytest.raises(ImageError, match="no mask of this name"):
        prompts(job("z.png"), SIZE)
    with pytest.raises(ImageError, match="has 20 x 10 px, its image 120 x 80"):
        prompts(job("a.png"), SIZE)
    with pytest.raises(ImageError, match="value 5 is not a label"):
        prompts(job("b.png"), SIZE)
    with pytest.raises(DatasetError, match="no such folder"):
        MaskFolder.read(tmp_path / "nowhere", labels=ONE)
    with pytest.raises(DatasetError, match="no masks"):
        MaskFolder.read(masks(tmp_path / "empty"), labels=ONE)
    written(folder / "a.tif", "")
    with pytest.raises(DatasetError, match="two masks are named 'a'"):
        MaskFolder.read(folder, labels=ONE)


def test_other_prompts_are_another_run(tmp_path: Path) -> None:
    """A run is resumed with the same points only: another file, point or mask is another run."""
    checkpoint = tmp_path / "model" / "fold_0" / "checkpoint_best.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"weights")
    output = tmp_path / "out"

    def record(points: Path | None = None, folder: Path | None = None) -> RunRecord:
        prompts = read_prompts(points=points, masks=folder, labels=ONE, wanted=True, output=output)
        return RunRecord.make(
            [checkpoint],
            tta=False,
            precision="float32",
            device="cpu",
            save_probabilities=False,
            prompts=None if prompts is None else prompts.source,
        )

    def is_resumed(now: RunRecord) -> bool:
        return (output / "a.png") in now.finished_masks(output, any_run=False)

    points, folder = (
        written(tmp_path / "p.json", {"a": [[1, 2]]}),
        masks(tmp_path / "m", a=np.eye(9, dtype="u1")),
    )
    record(points).begin(output)
    (output / "a.png").write_bytes(b"")
    assert is_resumed(record(points))
    assert not is_resumed(record(folder=folder))
    assert not is_resumed(record(written(tmp_path / "q.json", {"a": [[1, 2]]})))
    written(points, {"a": [[1, 3]]})
    assert not is_resumed(record(points))
    record(folder=folder).begin(output)
    assert is_resumed(record(folder=folder))
    os.utime(folder / "a.png", (1, 1))
    assert not is_resumed(record(folder=folder))


def test_points_that_do_not_fit_the_model(tmp_path: Path) -> None:
    """Missing points, points for another model, both kinds, and masks as input and output are errors."""
    points, folder = written(tmp_path / "p.json", {}), masks(tmp_path / "m", a=np.eye(9, dtype="u1"))
    common = {"labels": ONE, "output": tmp_path / "out"}
    assert read_prompts(points=None, masks=None, wanted=False, **common) is None
    with pytest.raises(CervsegError, match=r"--points FILE, or --prompts-from FOLDER"):
        read_prompts(points=None, masks=None, wanted=True, **common)
    with pytest.raises(CervsegError, match="takes no points"):
        read_prompts(points=None, masks=folder, wanted=False, **common)
    with pytest.raises(CervsegError, match="exclude each other"):
        read_prompts(points=points, masks=folder, wanted=True, **common)
    with pytest.raises(CervsegError, match="overwrite"):
        read_prompts(points=None, masks=folder, wanted=True, labels=ONE, output=folder)


def test_points_from_the_references_are_oracle_prompts(tmp_path: Path) -> None:
    """Points from the masks that are scored against are oracle prompts; other sources are named."""
    references, others = (
        masks(tmp_path / "r", a=np.eye(9, dtype="u1")),
        masks(tmp_path / "o", a=np.eye(9, dtype="u1")),
    )
    checkpoint = written(tmp_path / "checkpoint_best.pt", "")
    for folder, expected in ((references, ORACLE), (others, f"centroids of the masks in {others.resolve()}")):
        output = tmp_path / f"out_{folder.name}"
        prompts = MaskFolder.read(folder, labels=ONE)
        RunRecord.make(
            [checkpoint],
            tta=False,
            precision="float32",
            device="cpu",
            save_probabilities=False,
            prompts=prompts.source,
        ).begin(output)
        found = prompts_of(output, references=references)
        assert found is not None
        assert (found.sentence, found.is_oracle) == (expected, folder == references)
    assert prompts_of(tmp_path, references=references) is None


def test_a_record_of_version_0_1_has_its_source(tmp_path: Path) -> None:
    """Its sentence is read as a source, so that oracle prompts are still recognized."""
    references = masks(tmp_path / "r", a=np.eye(9, dtype="u1"))
    content = {
        "model": "SAMTrainer__plans__original",
        "checkpoints": [],
        "tta": False,
        "precision": "float32",
        "save_probabilities": False,
        "prompts": f"centroids of the masks in {references.resolve()}",
        "prompts_digest": "abc",
        "finished": True,
    }
    written(tmp_path / "prediction.json", content)
    record, source = read_run_record(tmp_path), prompts_of(tmp_path, references=references)
    assert record is not None
    assert record.finished
    assert source == PromptSource(kind="reference masks", path=str(references.resolve()), digest="abc")


def test_components_of_auxiliary_labels_give_no_points(tmp_path: Path) -> None:
    """A reference has them; points are given for the labels that are shown."""
    mask = disc_image(SIZE, [(20, 20, 1), (60, 40, 2), (100, 60, 3)])[1]
    prompts = MaskFolder.read(masks(tmp_path / "m", a=mask), labels=ONE, ignored={2, 3})
    assert prompts(job("a.png"), SIZE).tolist() == [[20, 20, 1]]
