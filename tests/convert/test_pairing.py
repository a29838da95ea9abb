from pathlib import Path

from cervseg.convert.pairing import images_alone, pair_folders


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_endings_are_tolerated(tmp_path: Path) -> None:
    """_mask, -mask, _seg, _label and _0000; equal names come first; the rest is reported."""
    images = touch(tmp_path / "i", "a.png", "b.jpg", "c_0000.png", "d.dcm", "e.tif", "lonely.png")
    masks = touch(
        tmp_path / "m",
        "a.png",
        "a_mask.png",
        "b-mask.bmp",
        "c.png",
        "d_SEG.nii.gz",
        "e_0000_label.png",
        "z.png",
    )
    found = pair_folders(images, masks)
    assert [(pair.id, pair.image.name, pair.mask and pair.mask.name) for pair in found.pairs] == [
        ("a", "a.png", "a.png"),
        ("b", "b.jpg", "b-mask.bmp"),
        ("c", "c_0000.png", "c.png"),
        ("d", "d.dcm", "d_SEG.nii.gz"),
        ("e", "e.tif", "e_0000_label.png"),
    ]
    assert [path.name for path in found.images_without_mask] == ["lonely.png"]
    assert [path.name for path in found.masks_without_image] == ["a_mask.png", "z.png"]
    assert found.num_renamed == 4


def test_images_and_masks_in_one_folder(tmp_path: Path) -> None:
    """Then masks are found by the ending of their names."""
    folder = touch(tmp_path / "i", "a.png", "a_mask.png", "b.png", "b_mask.png")
    found = pair_folders(folder, folder)
    assert [(pair.id, pair.mask and pair.mask.name) for pair in found.pairs] == [
        ("a", "a_mask.png"),
        ("b", "b_mask.png"),
    ]


def test_what_is_ambiguous_is_given_up(tmp_path: Path) -> None:
    """Two images with one name, and two masks for one image."""
    images = touch(tmp_path / "i", "a.png", "a.jpg", "b.png", "c.png")
    masks = touch(tmp_path / "m", "a.png", "b_mask.png", "b_seg.png", "c.png")
    found = pair_folders(images, masks)
    assert [pair.id for pair in found.pairs] == ["c"]
    assert [path.name for path in found.doubled] == ["a.jpg", "a.png", "b_mask.png", "b_seg.png"]
    assert [pair.id for pair in images_alone(images).pairs] == ["b", "c"]
