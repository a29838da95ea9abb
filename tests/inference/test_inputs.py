from pathlib import Path

import pytest

from cervseg.core.errors import ImageError
from cervseg.inference.inputs import list_jobs


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def masks(images: Path, *, num_channels: int = 1) -> list[str]:
    return [job.mask.name for job in list_jobs(images, Path("out"), num_channels=num_channels)]


def test_a_mask_has_the_name_of_its_image(tmp_path: Path) -> None:
    """Lossless suffixes are kept; other formats give PNG."""
    images = touch(tmp_path / "i", "a.png", "b.JPG", "c.tif", "d.dcm", "e.nii.gz")
    assert masks(images) == ["a.png", "b.png", "c.tif", "d.png", "e.png"]


def test_images_that_differ_in_suffix_only(tmp_path: Path) -> None:
    """Their masks keep the suffix in the name, so none overwrites another."""
    assert masks(touch(tmp_path / "i", "a.png", "a.jpg", "b.png")) == ["a_jpg.png", "a_png.png", "b.png"]


def test_channel_numbers_are_removed_if_all_images_have_them(tmp_path: Path) -> None:
    """Masks of imagesTs have the names in labelsTs; a mixed folder keeps its names."""
    assert masks(touch(tmp_path / "i", "a_0000.png", "b_0000.png")) == ["a.png", "b.png"]
    assert masks(touch(tmp_path / "j", "a_0000.png", "b.png")) == ["a_0000.png", "b.png"]


def test_several_channels_are_one_image(tmp_path: Path) -> None:
    """Channels are grouped by case; a missing one is an error."""
    images = touch(tmp_path / "i", "a_0000.png", "a_0001.png")
    assert masks(images, num_channels=2) == ["a.png"]
    touch(images, "b_0000.png")
    with pytest.raises(ImageError, match="needs 2 channel"):
        masks(images, num_channels=2)


def test_masks_never_overwrite_images(tmp_path: Path) -> None:
    """Images and masks have the same names, so a common folder is an error."""
    images = touch(tmp_path / "i", "a.png")
    for given in (images, images / "a.png"):
        with pytest.raises(ImageError, match="overwrite"):
            list_jobs(given, tmp_path / "i", num_channels=1)


def test_one_image_and_wrong_folders(tmp_path: Path) -> None:
    """A single file is one job; an empty or missing folder is an error."""
    touch(tmp_path / "i", "a.png")
    assert masks(tmp_path / "i" / "a.png") == ["a.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no images"):
        masks(tmp_path / "empty")
    with pytest.raises(ImageError, match="no such file"):
        masks(tmp_path / "nowhere")
