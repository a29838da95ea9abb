from pathlib import Path

from cervseg.imageio import list_images
from cervseg.imageio.listing import stem_of


def test_images_are_listed_by_suffix(tmp_path: Path) -> None:
    """Upper-case suffixes, broken links and folders are listed; hidden and other files are not."""
    for name in ("b.PNG", "a.jpg", "c.nii.gz", "d.dcm", ".hidden.png", "notes.txt", "dataset.json"):
        (tmp_path / name).touch()
    (tmp_path / "e.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "f.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == [
        "a.jpg",
        "b.PNG",
        "c.nii.gz",
        "d.dcm",
        "e.png",
        "f.png",
    ]


def test_the_stem_has_no_double_suffix() -> None:
    """a.nii.gz gives a; dots within a name are kept."""
    assert [stem_of(Path(name)) for name in ("a.nii.gz", "a.b.PNG", "a")] == ["a", "a.b", "a"]
