import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.cli.convert import main, value_names
from cervseg.convert.paired import convert_paired
from cervseg.core.errors import CervsegError, DatasetError
from cervseg.dataset.description import list_cases, read_description
from cervseg.dataset.verify import verify_dataset
from cervseg.imageio import read_image, read_mask
from tests.shapes import blob_image

SIZE = (40, 32)


def put(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def write_pairs(root: Path, *, num: int = 4, factor: int = 255, size: tuple[int, int] = SIZE) -> None:
    """f0.png ... in images/ with masks of 0 and ``factor`` in masks/."""
    for number in range(num):
        image, mask = blob_image(size, seed=number)
        put(root / "images" / f"f{number}.png", image)
        put(root / "masks" / f"f{number}.png", mask * np.uint8(factor))


def convert(root: Path, *more: str) -> int:
    folders = ["--images", str(root / "images"), "--masks", str(root / "masks"), "--root", str(root)]
    what = more or ("--label", "disc")
    return main(["paired", *folders, "-d", "101", "--name", "Discs", "--workers", "1", *what])


def test_zero_and_255_become_a_sound_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; images as they were, masks 0 and 1, nothing to mend, nothing left over."""
    write_pairs(tmp_path)
    assert convert(tmp_path) == 0
    assert "4 images to train on" in capsys.readouterr().out
    folder = tmp_path / "raw_data" / "Dataset101_Discs"
    description = read_description(folder)
    assert (description.name, description.labels) == ("Dataset101_Discs", {"background": 0, "disc": 1})
    assert verify_dataset(folder, description, workers=1, progress=False) == ()
    for number, case in enumerate(list_cases(folder, description)):
        image, mask = blob_image(SIZE, seed=number)
        np.testing.assert_array_equal(read_image(case.images[0]).pixels[0], image)
        assert case.mask is not None
        np.testing.assert_array_equal(read_mask(case.mask), mask)
    assert os.listdir(tmp_path / "raw_data") == ["Dataset101_Discs"]


def test_the_bad_are_named_and_the_good_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Truncated, of another size, without partner: exit code 1, each with its reason, two images made."""
    write_pairs(tmp_path)
    data = (tmp_path / "images/f0.png").read_bytes()
    (tmp_path / "images/f0.png").write_bytes(data[: len(data) // 2])
    put(tmp_path / "masks/f1.png", blob_image((40, 30))[1])
    put(tmp_path / "images/only_image.png", blob_image(SIZE)[0])
    put(tmp_path / "masks/only_mask.png", blob_image(SIZE)[1])
    assert convert(tmp_path) == 1
    lines = capsys.readouterr().err.splitlines()
    expected = [
        "f0.png: is truncated",
        "f1.png: the image has 32 x 40 pixels, its mask f1.png 30 x 40",
        "only_image.png: an image without mask",
        "only_mask.png: a mask without image",
    ]
    assert all(text in line for text, line in zip(expected, lines, strict=True))
    assert read_description(tmp_path / "raw_data" / "Dataset101_Discs").num_training == 2


def test_several_values_with_names(tmp_path: Path) -> None:
    """--labels maps values in the masks to consecutive numbers."""
    write_pairs(tmp_path, factor=7)
    assert convert(tmp_path, "--labels", "7=disc") == 0
    folder = tmp_path / "raw_data" / "Dataset101_Discs"
    assert read_description(folder).labels == {"background": 0, "disc": 1}
    assert set(np.unique(read_mask(folder / "labelsTr/f0.png"))) == {0, 1}


def test_mixed_formats_and_what_the_report_says(tmp_path: Path) -> None:
    """JPEG masks are cut at half, floats rescaled, held-out images go to imagesTs, masks of these optional."""
    image, mask = blob_image(SIZE)
    put(tmp_path / "images/a.jpg", image)
    put(tmp_path / "masks/a_mask.jpg", mask * np.uint8(255))
    put(tmp_path / "images/b.tif", image.astype(np.float32) / 255 - 0.5)
    put(tmp_path / "masks/b.bmp", mask * np.uint8(255))
    put(tmp_path / "test/a.png", image)
    report = convert_paired(
        images=tmp_path / "images",
        masks=tmp_path / "masks",
        folder=tmp_path / "Dataset101_Discs",
        label="disc",
        test_images=tmp_path / "test",
        progress=False,
    )
    assert (report.num_training, report.num_test, report.is_complete) == (2, 1, True)
    assert report.notes == (
        "1 image(s) paired although their names end differently (_mask, _0000 and the like)",
        "1 image(s) with soft or noisy masks, cut at half",
        "1 image(s) with fractions or negative values, rescaled to 16 bits",
        "1 test image(s) are called like a training image, such as a",
    )
    assert read_image(report.folder / "imagesTr/b_0000.png").pixels.max() == 65535
    np.testing.assert_array_equal(read_mask(report.folder / "labelsTr/a.png"), mask)
    assert (report.folder / "imagesTs/a_0000.png").is_file()


def test_spacing_is_kept_in_dataset_json(tmp_path: Path) -> None:
    """PNG holds none, so what a NIfTI header says goes to dataset.json."""
    import nibabel

    image, mask = blob_image(SIZE)
    (tmp_path / "images").mkdir()
    nibabel.save(nibabel.Nifti1Image(image, np.diag([0.2, 0.15, 1, 1])), tmp_path / "images/a.nii.gz")
    put(tmp_path / "masks/a.png", mask)
    folder = tmp_path / "Dataset101_Discs"
    convert_paired(images=tmp_path / "images", masks=tmp_path / "masks", folder=folder, progress=False)
    assert read_description(folder).spacing_mm == {"a": (0.2, 0.15)}


def test_a_dataset_is_not_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 without --overwrite; with it, the new one alone is there."""
    write_pairs(tmp_path)
    assert convert(tmp_path) == 0
    (tmp_path / "images/f3.png").unlink()
    (tmp_path / "masks/f3.png").unlink()
    assert convert(tmp_path) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert convert(tmp_path, "--label", "disc", "--overwrite") == 0
    assert len(os.listdir(tmp_path / "raw_data" / "Dataset101_Discs" / "imagesTr")) == 3
    assert os.listdir(tmp_path / "raw_data") == ["Dataset101_Discs"]


def test_nothing_convertible_leaves_nothing(tmp_path: Path) -> None:
    """No pair, no folder, or every image bad: an error with reasons, and what was there stays."""
    write_pairs(tmp_path, num=2, factor=3)
    folder = tmp_path / "Dataset101_Discs"
    with pytest.raises(DatasetError, match=r"no image could be converted\n.*the value 3"):
        convert_paired(images=tmp_path / "images", masks=tmp_path / "masks", folder=folder, progress=False)
    with pytest.raises(DatasetError, match="no such folder"):
        convert_paired(images=tmp_path / "images", masks=tmp_path / "nowhere", folder=folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="has a mask of the same name"):
        convert_paired(images=tmp_path / "images", masks=tmp_path / "empty", folder=folder)
    assert sorted(os.listdir(tmp_path)) == ["empty", "images", "masks"]


def test_a_killed_conversion_leaves_no_dataset(tmp_path: Path) -> None:
    """SIGKILL in the middle: the dataset's folder does not exist, and the same command makes it whole."""
    write_pairs(tmp_path, num=40, size=(900, 700))
    code = "import sys; from cervseg.cli.convert import main; sys.exit(main(sys.argv[1:]))"
    command = [
        "paired",
        "--images",
        str(tmp_path / "images"),
        "--masks",
        str(tmp_path / "masks"),
        "-d",
        "101",
    ]
    command += ["--name", "Discs", "--label", "disc", "--workers", "1", "--root", str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-c", code, *command], stderr=subprocess.DEVNULL)
    hidden = tmp_path / "raw_data" / ".Dataset101_Discs.converting" / "labelsTr"
    deadline = time.monotonic() + 60
    while not (hidden.is_dir() and len(os.listdir(hidden)) >= 3) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -9
    folder = tmp_path / "raw_data" / "Dataset101_Discs"
    assert not folder.exists()
    assert main(command) == 0
    assert read_description(folder).num_training == 40
    assert os.listdir(tmp_path / "raw_data") == ["Dataset101_Discs"]


def test_values_as_people_write_them() -> None:
    """VALUE=NAME, and what is not."""
    assert value_names(["1=incisor", "2 = canine"]) == {1: "incisor", 2: "canine"}
    for wrong in (["incisor=1"], ["1="], ["1"], ["1=a", "1=b"]):
        with pytest.raises(CervsegError, match="--labels"):
            value_names(wrong)
