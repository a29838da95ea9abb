from pathlib import Path

from cervseg.imageio import list_images
from cervseg.imageio.listing import stem_of


def test_images_by_suffix_sorted_with_the_bad_ones(tmp_path: Path) -> None:
    """Capitals, links to nowhere and folders count; hidden and other files do not."""
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


def test_the_stem_is_without_double_suffixes() -> None:
    """a.nii.gz is a; dots within a name stay."""
    assert [stem_of(Path(name)) for name in ("a.nii.gz", "a.b.PNG", "a")] == ["a", "a.b", "a"]
