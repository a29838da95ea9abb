import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.cli.convert import main
from cervseg.convert.conversion import convert
from cervseg.convert.labelling import Labelling
from cervseg.convert.paired import PairedFolders
from cervseg.convert.target import DatasetTarget
from cervseg.core.errors import DatasetError
from cervseg.core.paths import Workspace
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


def run_command(root: Path, *more: str) -> int:
    folders = ["--images", str(root / "images"), "--masks", str(root / "masks"), "--root", str(root)]
    what = more or ("--label", "disc")
    return main(["paired", *folders, "-d", "101", "--name", "Discs", "--workers", "1", *what])


def test_zero_and_255_become_a_sound_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; images as they were, masks 0 and 1, no findings, no files left over."""
    write_pairs(tmp_path)
    assert run_command(tmp_path) == 0
    assert "4 training and 0 test images" in capsys.readouterr().out
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


def test_unusable_files_are_named_and_the_others_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Truncated, of another size, without a partner: exit code 1 and the reasons; two are converted."""
    write_pairs(tmp_path)
    data = (tmp_path / "images/f0.png").read_bytes()
    (tmp_path / "images/f0.png").write_bytes(data[: len(data) // 2])
    put(tmp_path / "masks/f1.png", blob_image((40, 30))[1])
    put(tmp_path / "images/only_image.png", blob_image(SIZE)[0])
    put(tmp_path / "masks/only_mask.png", blob_image(SIZE)[1])
    assert run_command(tmp_path) == 1
    lines = capsys.readouterr().err.splitlines()
    expected = [
        "f0.png",
        "the image has 32 x 40 pixels, its mask f1.png 30 x 40: ",
        "image without a mask: ",
        "mask without an image: ",
    ]
    assert all(text in line for text, line in zip(expected, lines, strict=True))
    assert read_description(tmp_path / "raw_data" / "Dataset101_Discs").num_training == 2


def test_several_values_with_names(tmp_path: Path) -> None:
    """--labels maps values in the masks to consecutive numbers."""
    write_pairs(tmp_path, factor=7)
    assert run_command(tmp_path, "--labels", "disc=7") == 0
    folder = tmp_path / "raw_data" / "Dataset101_Discs"
    assert read_description(folder).labels == {"background": 0, "disc": 1}
    assert set(np.unique(read_mask(folder / "labelsTr/f0.png"))) == {0, 1}


def test_mixed_formats_and_the_notes_on_them(tmp_path: Path) -> None:
    """JPEG masks are thresholded, floats rescaled; held-out images go to imagesTs, with or without masks."""
    image, mask = blob_image(SIZE)
    put(tmp_path / "images/a.jpg", image)
    put(tmp_path / "masks/a_mask.jpg", mask * np.uint8(255))
    put(tmp_path / "images/b.tif", image.astype(np.float32) / 255 - 0.5)
    put(tmp_path / "masks/b.bmp", mask * np.uint8(255))
    put(tmp_path / "test/a.png", image)
    source = PairedFolders(
        images=tmp_path / "images",
        masks=tmp_path / "masks",
        labelling=Labelling(label="disc"),
        test_images=tmp_path / "test",
    )
    report = convert(source, DatasetTarget(folder=tmp_path / "Dataset101_Discs"), progress=False)
    assert (report.num_training, report.num_test, report.is_complete) == (2, 1, True)
    assert report.notes == (
        "1 image(s) paired although their names end differently (_mask, _0000 and the like)",
        "1 image(s) with soft or noisy masks, thresholded at half",
        "1 image(s) with fractions or negative values, rescaled to 16 bits",
        "1 test image(s) share their name with a training image, such as a",
    )
    assert read_image(report.folder / "imagesTr/b_0000.png").pixels.max() == 65535
    np.testing.assert_array_equal(read_mask(report.folder / "labelsTr/a.png"), mask)
    assert (report.folder / "imagesTs/a_0000.png").is_file()


def test_spacing_is_kept_in_dataset_json(tmp_path: Path) -> None:
    """PNG has no spacing, so the spacing of a NIfTI header goes to dataset.json."""
    import nibabel

    image, mask = blob_image(SIZE)
    (tmp_path / "images").mkdir()
    nibabel.save(nibabel.Nifti1Image(image, np.diag([0.2, 0.15, 1, 1])), tmp_path / "images/a.nii.gz")
    put(tmp_path / "masks/a.png", mask)
    folder = tmp_path / "Dataset101_Discs"
    source = PairedFolders(images=tmp_path / "images", masks=tmp_path / "masks")
    report = convert(source, DatasetTarget(folder=folder), progress=False)
    assert report.notes == ("1 image(s) with pixel spacing from NIfTI header",)
    assert read_description(folder).spacing_mm == {"a": (0.2, 0.15)}


def test_a_dataset_is_only_replaced_with_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 without --overwrite; with it, only the new dataset is left."""
    write_pairs(tmp_path)
    assert run_command(tmp_path) == 0
    (tmp_path / "images/f3.png").unlink()
    (tmp_path / "masks/f3.png").unlink()
    assert run_command(tmp_path) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run_command(tmp_path, "--label", "disc", "--overwrite") == 0
    assert len(os.listdir(tmp_path / "raw_data" / "Dataset101_Discs" / "imagesTr")) == 3
    assert os.listdir(tmp_path / "raw_data") == ["Dataset101_Discs"]


def test_nothing_convertible_leaves_nothing(tmp_path: Path) -> None:
    """No pair, no folder, or no usable image: an error with reasons, and no dataset."""
    write_pairs(tmp_path, num=2, factor=3)
    (tmp_path / "empty").mkdir()
    target = DatasetTarget(folder=tmp_path / "Dataset101_Discs")
    for masks, message in (
        ("masks", r"no image could be converted\n.*the value 3"),
        ("nowhere", "no such folder"),
        ("empty", "no image has a mask of the same name"),
    ):
        source = PairedFolders(images=tmp_path / "images", masks=tmp_path / masks)
        with pytest.raises(DatasetError, match=message):
            convert(source, target, progress=False)
    assert sorted(os.listdir(tmp_path)) == ["empty", "images", "masks"]


def test_a_killed_conversion_leaves_no_dataset(tmp_path: Path) -> None:
    """SIGKILL in the middle: the dataset's folder does not exist, and the same command completes it."""
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


def test_a_number_that_is_taken_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dataset101_Other cannot be made beside Dataset101_Discs, nor beside results of another 101."""
    write_pairs(tmp_path)
    assert run_command(tmp_path) == 0
    assert run_command(tmp_path, "--label", "disc", "--overwrite", "--name", "Other") == 2
    said = capsys.readouterr().err
    assert "dataset number 101 is taken by Dataset101_Discs" in said
    assert "such as 102" in said
    (tmp_path / "results" / "Dataset102_Old").mkdir(parents=True)
    with pytest.raises(DatasetError, match="taken by Dataset102_Old"):
        DatasetTarget.in_workspace(Workspace(root=tmp_path), 102, "New")
    in_own_place = DatasetTarget.in_workspace(Workspace(root=tmp_path), "101", "Discs", overwrite=True)
    assert in_own_place.folder == tmp_path / "raw_data" / "Dataset101_Discs"
    assert os.listdir(tmp_path / "raw_data") == ["Dataset101_Discs"]


def test_labels_with_the_value_first_get_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--labels is NAME=VALUE in all commands."""
    write_pairs(tmp_path, num=1)
    assert run_command(tmp_path, "--labels", "1=disc") == 2
    assert "disc=1" in capsys.readouterr().err


def test_auxiliary_labels_of_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other tooth types help to find canines: value 3 becomes 1, the others follow."""
    mask = np.repeat(np.arange(4, dtype=np.uint8), 8)[:, None].repeat(32, axis=1)
    put(tmp_path / "images" / "a.png", blob_image((32, 32))[0])
    put(tmp_path / "masks" / "a.png", mask)
    labels = ["--labels", "incisor=1", "premolar=2", "canine=3"]
    assert run_command(tmp_path, *labels, "--auxiliary", "premolar", "incisor") == 0
    assert "canine=1, incisor=2, premolar=3 (auxiliary: incisor, premolar)" in capsys.readouterr().out
    folder = tmp_path / "raw_data" / "Dataset101_Discs"
    description = read_description(folder)
    assert (description.foreground, description.auxiliary) == ({"canine": 1}, ("incisor", "premolar"))
    assert read_mask(folder / "labelsTr" / "a.png")[::8, 0].tolist() == [0, 2, 3, 1]
    assert run_command(tmp_path, *labels, "--overwrite", "--auxiliary", "molar") == 2
    assert "auxiliary label 'molar' is not a label" in capsys.readouterr().err
