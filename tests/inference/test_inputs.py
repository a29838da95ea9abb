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


def test_a_mask_is_called_like_its_image(tmp_path: Path) -> None:
    """PNG stays PNG; a lossy or medical format becomes PNG, the name stays."""
    images = touch(tmp_path / "i", "a.png", "b.JPG", "c.tif", "d.dcm", "e.nii.gz")
    assert masks(images) == ["a.png", "b.png", "c.tif", "d.png", "e.png"]


def test_images_that_differ_in_their_ending_only_keep_apart(tmp_path: Path) -> None:
    """No mask overwrites another."""
    assert masks(touch(tmp_path / "i", "a.png", "a.jpg", "b.png")) == ["a_jpg.png", "a_png.png", "b.png"]


def test_nnunet_names_lose_their_channel_when_all_images_have_it(tmp_path: Path) -> None:
    """imagesTs can be scored against labelsTs as it is; a mixed folder keeps its names."""
    assert masks(touch(tmp_path / "i", "a_0000.png", "b_0000.png")) == ["a.png", "b.png"]
    assert masks(touch(tmp_path / "j", "a_0000.png", "b.png")) == ["a_0000.png", "b.png"]


def test_several_channels_make_one_image(tmp_path: Path) -> None:
    """Channels are grouped by case; a lacking one is an error."""
    images = touch(tmp_path / "i", "a_0000.png", "a_0001.png")
    assert masks(images, num_channels=2) == ["a.png"]
    touch(images, "b_0000.png")
    with pytest.raises(ImageError, match="2 channel"):
        masks(images, num_channels=2)


def test_masks_never_overwrite_images(tmp_path: Path) -> None:
    """Images and masks have the same names, so they may not share a folder."""
    images = touch(tmp_path / "i", "a.png")
    for given in (images, images / "a.png"):
        with pytest.raises(ImageError, match="overwrite"):
            list_jobs(given, tmp_path / "i", num_channels=1)


def test_one_image_an_empty_folder_and_a_wrong_path(tmp_path: Path) -> None:
    """A single file is a job; nothing to do is an error, not a success."""
    touch(tmp_path / "i", "a.png")
    assert masks(tmp_path / "i" / "a.png") == ["a.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no images"):
        masks(tmp_path / "empty")
    with pytest.raises(ImageError, match="no such file"):
        masks(tmp_path / "nowhere")
