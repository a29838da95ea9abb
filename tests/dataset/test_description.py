import json
from pathlib import Path
from typing import Any

import pytest

from cervseg.core.errors import DatasetError
from cervseg.dataset.description import find_labels, list_cases, read_description

PLAIN = {
    "channel_names": {"0": "xray"},
    "labels": {"background": 0, "bone": 1},
    "numTraining": 2,
    "file_ending": ".png",
}


def dataset(root: Path, **changes: Any) -> Path:
    """A folder with dataset.json; None removes a field."""
    folder = root / "Dataset001_Spine"
    folder.mkdir(exist_ok=True)
    content = {name: value for name, value in {**PLAIN, **changes}.items() if value is not None}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_nnunets_file_is_accepted(tmp_path: Path) -> None:
    """Fields that only nnU-Net uses are ignored."""
    folder = dataset(
        tmp_path, overwrite_image_reader_writer="NaturalImage2DIO", licence="CC0", description="x"
    )
    found = read_description(folder)
    assert (found.name, found.channel_names, found.labels) == ("Dataset001_Spine", ("xray",), PLAIN["labels"])
    assert (found.num_training, found.file_ending, found.groups, found.spacing_mm) == (2, ".png", {}, {})


def test_optional_fields(tmp_path: Path) -> None:
    """Name, groups and spacing are read."""
    folder = dataset(tmp_path, name="Spines", groups={"a": "p1"}, spacing_mm={"a": [0.2, 0.1]})
    found = read_description(folder)
    assert (found.name, found.groups, found.spacing_mm) == ("Spines", {"a": "p1"}, {"a": (0.2, 0.1)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "'labels' is missing"),
        ({"numTraining": None}, "'numTraining' is missing"),
        ({"channel_names": None}, "'channel_names' is missing"),
        ({"channel_names": {"1": "xray"}}, "numbered 0, 1"),
        ({"channel_names": None, "modality": {"0": "xray"}}, "nnU-Net v1"),
        ({"numTraining": "many"}, "expected a whole number, got"),
        ({"labels": {"background": 0, "bone": 2}}, "without gaps"),
        ({"labels": {"background": 0, "bone": "one"}}, "expected a whole number, got"),
        ({"labels": {"0": "background", "1": "bone"}}, "Write the name first"),
        ({"labels": {"background": 0, "all": [1, 2], "core": [2]}}, "region .* not supported yet"),
        ({"labels": {"background": 0, "bone": 1, "ignore": 2}}, "ignore label is not supported yet"),
        ({"file_ending": ".mha"}, "'.mha' is not supported"),
        ({"groups": ["a"]}, "expected an object, got"),
        ({"spacing_mm": {"a": [0.2]}}, "a list of 2"),
        ({"spacing_mm": {"a": [0.2, 0]}}, "must be positive"),
        ({"auxiliary": "bone"}, "expected a list, got"),
        ({"auxiliary": ["rib"]}, "auxiliary label 'rib' is not a label"),
        ({"auxiliary": ["background"]}, "'background' is the background"),
        ({"auxiliary": ["bone"]}, "all labels are auxiliary"),
        (
            {"labels": {"background": 0, "rib": 1, "bone": 2}, "auxiliary": ["rib"]},
            "highest numbers(.|\n)*bone = 1, rib = 2",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """Each mistake is one error with the file's path."""
    folder = dataset(tmp_path, **changes)
    with pytest.raises(DatasetError, match=message) as caught:
        read_description(folder)
    assert "dataset.json" in str(caught.value)


def test_auxiliary_labels_are_trained_but_not_shown(tmp_path: Path) -> None:
    """They come last among the trained labels, and are not among the shown ones; by default none is."""
    labels = {"T1": 3, "background": 0, "C7": 1, "C6": 2, "T2": 4}
    found = read_description(dataset(tmp_path, labels=labels, auxiliary=["T2", "T1"]))
    assert list(found.foreground.items()) == [("C7", 1), ("C6", 2)]
    assert list(found.trained.items()) == [("C7", 1), ("C6", 2), ("T1", 3), ("T2", 4)]
    plain = read_description(dataset(tmp_path, labels=labels))
    assert (plain.auxiliary, plain.foreground) == ((), found.trained)


def test_unfinished_datasets(tmp_path: Path) -> None:
    """No folder, no dataset.json, and a truncated one."""
    with pytest.raises(DatasetError, match="no such dataset folder"):
        read_description(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"no dataset\.json in this folder"):
        read_description(tmp_path)
    (tmp_path / "dataset.json").write_text('{"labels": ')
    with pytest.raises(DatasetError, match="not valid JSON"):
        read_description(tmp_path)


def test_cases_of_mixed_endings_and_two_channels(tmp_path: Path) -> None:
    """Sorted by id, one file per channel in order, masks and groups where they exist."""
    folder = dataset(tmp_path, channel_names={"0": "xray", "1": "half"}, groups={"b": "p1"})
    touch(folder, "imagesTr/b_0001.png", "imagesTr/b_0000.JPG", "imagesTr/a_0000.png", "imagesTr/a_0001.png")
    touch(folder, "labelsTr/a.png", "labelsTr/b.tif", "imagesTs/t_0000.png", "imagesTr/notes.txt")
    description = read_description(folder)
    first, second = list_cases(folder, description)
    assert (first.id, first.group, first.mask) == ("a", "a", folder / "labelsTr/a.png")
    assert (second.id, second.group, second.mask) == ("b", "p1", folder / "labelsTr/b.tif")
    assert [path.name for path in second.images] == ["b_0000.JPG", "b_0001.png"]
    (held_out,) = list_cases(folder, description, split="Ts")
    assert (held_out.id, held_out.mask) == ("t", None)


def test_ids_may_end_in_numbers(tmp_path: Path) -> None:
    """Only the last four digits are the channel."""
    folder = dataset(tmp_path)
    touch(folder, "imagesTr/image_2021_0000.png")
    assert [case.id for case in list_cases(folder, read_description(folder))] == ["image_2021"]


def test_labels_beside_and_above_masks(tmp_path: Path) -> None:
    """In the order of their values; a file with labels alone is enough, and none is not an error."""
    masks = tmp_path / "model" / "fold_0" / "validation"
    masks.mkdir(parents=True)
    assert find_labels(masks) is None
    (tmp_path / "model/dataset.json").write_text(json.dumps(PLAIN))
    assert find_labels(masks) == {"bone": 1}
    (masks / "dataset.json").write_text('{"labels": {"C3": 2, "background": 0, "C2": 1}}')
    found = find_labels(masks)
    assert found == {"C2": 1, "C3": 2}
    assert list(found) == ["C2", "C3"]
    (masks / "dataset.json").write_text(
        '{"labels": {"C3": 2, "background": 0, "C2": 1}, "auxiliary": ["C3"]}'
    )
    assert find_labels(masks) == {"C2": 1, "C3": 2}
    (masks / "dataset.json").write_text('{"labels": {"C2": 1}}')
    with pytest.raises(DatasetError, match="background"):
        find_labels(masks)
