import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.cli.convert import main
from cervseg.convert.conversion import convert
from cervseg.convert.stylus.source import StylusTracings
from cervseg.convert.target import DatasetTarget
from cervseg.core.errors import DatasetError
from cervseg.dataset.description import list_cases, read_description
from cervseg.dataset.verify import verify_dataset
from cervseg.imageio import read_image, read_mask
from tests.convert.stylus.traced import Pen, trace

SIZE = (260, 200)


def put(path: Path, picture: np.ndarray) -> None:
    """Write a grey or RGB picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    path.write_bytes(cv2.imencode(path.suffix, bgr)[1].tobytes())


def image_and_masks(seed: int, *, num: int = 3) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    pixels = cv2.GaussianBlur(rng.integers(0, 255, SIZE).astype(np.uint8), (0, 0), 3)
    masks = []
    for number in range(num):
        masks.append(np.zeros(SIZE, np.uint8))
        cv2.ellipse(masks[-1], (100, 45 + 75 * number), (35, 15), 20, 0, 360, 1, -1)
    return pixels, masks


def write_traced(root: Path, *, num: int = 6, suffix: str = ".png") -> None:
    """f0.png ... in images/, traced copies of the same names in traced/."""
    for number in range(num):
        pixels, masks = image_and_masks(number)
        put(root / "images" / f"f{number}.png", pixels)
        picture = trace(pixels, masks, Pen(), rng=np.random.default_rng(number))
        put(root / "traced" / f"f{number}{suffix}", picture)


def run_command(root: Path, *more: str) -> int:
    given = ["--tracings", str(root / "traced"), "--root", str(root), "-d", "103", "--name", "Neck"]
    return main(["stylus", *given, "--workers", "1", *more])


def test_a_sound_dataset_of_clean_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Images are equal, masks close to the tracings, nothing is doubtful, and there is one preview sheet."""
    write_traced(tmp_path)
    assert run_command(tmp_path, "--images", str(tmp_path / "images")) == 0
    said = capsys.readouterr().out
    assert "6 training and 0 test images" in said
    assert "doubtful" not in said
    assert "warning" not in said
    folder = tmp_path / "raw_data" / "Dataset103_Neck"
    description = read_description(folder)
    assert description.labels == {"background": 0, "spinous_process": 1}
    assert verify_dataset(folder, description, workers=1, progress=False) == ()
    for number, case in enumerate(list_cases(folder, description)):
        pixels, masks = image_and_masks(number)
        np.testing.assert_array_equal(read_image(case.images[0]).pixels[0], pixels)
        assert case.mask is not None
        found, truth = read_mask(case.mask), np.maximum.reduce(masks)
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.98
    assert (folder / "preview" / "masks_001.png").is_file()
    assert len(json.loads((folder / "tracings.json").read_text())) == 6


def test_the_doubtful_are_listed_and_the_bad_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each kind of doubt with its reason; untraced images, truncated ones, other sizes: exit code 1."""
    write_traced(tmp_path, num=9)
    pixels, masks = image_and_masks(0)
    rng = np.random.default_rng(0)
    put(tmp_path / "traced/f0.png", trace(pixels, masks[:1], Pen(), rng=rng))
    lined = trace(image_and_masks(1)[0], masks, Pen(), rng=rng)
    cv2.line(lined, (10, 250), (190, 240), (255, 0, 0), 3)
    put(tmp_path / "traced/f1.png", lined)
    gapped = trace(image_and_masks(2)[0], masks[:2], Pen(), rng=rng)
    put(tmp_path / "traced/f2.png", trace(gapped[:, :, 1], masks[:2], Pen(), rng=rng))
    put(tmp_path / "traced/f3.png", trace(image_and_masks(8)[0], masks, Pen(gap=0.2), rng=rng))
    put(tmp_path / "traced/f4.png", cv2.cvtColor(image_and_masks(4)[0], cv2.COLOR_GRAY2RGB))
    put(tmp_path / "traced/f5.png", trace(pixels, masks, Pen(gap=0.6), rng=rng))
    data = (tmp_path / "traced/f6.png").read_bytes()
    (tmp_path / "traced/f6.png").write_bytes(data[: len(data) // 2])
    put(tmp_path / "images/f7.png", pixels[:200])
    put(tmp_path / "traced/alone.png", lined)
    put(tmp_path / "images/untraced.png", pixels)
    assert run_command(tmp_path, "--images", str(tmp_path / "images")) == 1
    said = capsys.readouterr()
    assert "doubtful: f0: 1 separate mask(s), most images have 3" in said.out
    assert "doubtful: f1: 1 red stroke(s) enclose nothing" in said.out
    assert "f3: an open stroke was closed over a gap of" in said.out
    assert "look like different pictures" in said.out
    assert "warning: 1 image(s) without a tracing are not used" in said.out
    expected = [
        "nothing in it is red: ",
        "3 red stroke(s), but none encloses an area: ",
        "is truncated: its end is missing: ",
        "the image has 200 x 200 pixels, its tracing f7.png 200 x 260: ",
        "tracing without an image: ",
    ]
    assert all(text in line for text, line in zip(expected, said.err.splitlines(), strict=True))


def test_traced_pictures_as_images_carry_a_note(tmp_path: Path) -> None:
    """Without clean images the luminance of the traced pictures is the image; test images go to imagesTs."""
    write_traced(tmp_path, num=2)
    source = StylusTracings(tracings=tmp_path / "traced", test_tracings=tmp_path / "traced")
    report = convert(source, DatasetTarget(folder=tmp_path / "Dataset103_Neck"), progress=False)
    assert (report.num_training, report.num_test) == (2, 2)
    assert "still show the tracings" in report.notes[0]
    assert "2 test image(s) share their name with a training image" in report.notes[1]
    stored = read_image(report.folder / "imagesTr/f0_0000.png").pixels
    np.testing.assert_array_equal(stored, read_image(tmp_path / "traced/f0.png").pixels)
    assert sorted(os.listdir(report.folder / "labelsTs")) == ["f0.png", "f1.png"]


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An existing dataset, a missing or empty folder, an unknown edge, test images without tracings."""
    write_traced(tmp_path, num=1)
    images = ("--images", str(tmp_path / "images"), "--no-preview")
    assert run_command(tmp_path, *images) == 0
    assert run_command(tmp_path, *images) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run_command(tmp_path, *images, "--overwrite") == 0
    assert run_command(tmp_path, "--images", str(tmp_path / "no"), "--overwrite") == 2
    assert "error: no such folder: " in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run_command(tmp_path, "--images", str(tmp_path / "empty"), "--overwrite") == 2
    assert "no picture has an image of the same name" in capsys.readouterr().err
    assert run_command(tmp_path, "--test-images", str(tmp_path / "images"), "--overwrite") == 2
    with pytest.raises(DatasetError, match="unknown edge"):
        StylusTracings(tracings=tmp_path / "traced", edge="left")
    assert read_description(tmp_path / "raw_data" / "Dataset103_Neck").num_training == 1
