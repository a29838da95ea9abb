import json
from pathlib import Path

import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.core.types import DatasetDescription
from cervseg.dataset.description import read_description
from cervseg.dataset.writer import DatasetWriter
from cervseg.imageio import read_image, read_mask

IMAGE = np.random.default_rng(0).integers(0, 4096, (20, 30)).astype(np.uint16)
MASK = (IMAGE > 2000).astype(np.uint8)


def test_what_is_written_is_nnunets_raw_format(tmp_path: Path) -> None:
    """File names, fields of dataset.json, pixels of a training and a test image."""
    writer = DatasetWriter(folder=tmp_path / "Dataset007_Spine")
    writer.add_case("a", channels=[IMAGE, IMAGE // 2], mask=MASK)
    writer.add_case("b", channels=[IMAGE, IMAGE], mask=None, test=True)
    description = writer.finish(
        channel_names=["xray", "half"],
        labels={"background": 0, "spinous_process": 1},
        groups={"a": "patient 1"},
        spacing_mm={"a": (0.2, 0.15)},
    )
    files = sorted(str(p.relative_to(writer.folder)) for p in writer.folder.rglob("*") if p.is_file())
    assert files == [
        "dataset.json",
        "imagesTr/a_0000.png",
        "imagesTr/a_0001.png",
        "imagesTs/b_0000.png",
        "imagesTs/b_0001.png",
        "labelsTr/a.png",
    ]
    assert json.loads((writer.folder / "dataset.json").read_text()) == {
        "name": "Dataset007_Spine",
        "channel_names": {"0": "xray", "1": "half"},
        "labels": {"background": 0, "spinous_process": 1},
        "numTraining": 1,
        "file_ending": ".png",
        "groups": {"a": "patient 1"},
        "spacing_mm": {"a": [0.2, 0.15]},
    }
    np.testing.assert_array_equal(read_image(writer.folder / "imagesTr/a_0001.png").pixels[0], IMAGE // 2)
    np.testing.assert_array_equal(read_mask(writer.folder / "labelsTr/a.png"), MASK)
    assert description == read_description(writer.folder)


def test_phantoms_are_marked(tmp_path: Path) -> None:
    """A dataset of phantoms says so in dataset.json."""
    writer = DatasetWriter(folder=tmp_path / "Dataset007_Spine")
    writer.add_case("a", channels=[IMAGE], mask=MASK)
    writer.finish(channel_names=["xray"], labels={"background": 0, "bone": 1}, synthetic=True)
    assert json.loads((writer.folder / "dataset.json").read_text())["synthetic"] is True
    assert read_description(writer.folder).synthetic


def test_plain_datasets_have_no_extras(tmp_path: Path) -> None:
    """Without groups and spacing dataset.json has only nnU-Net's fields and the name."""
    writer = DatasetWriter(folder=tmp_path / "Dataset007_Spine")
    writer.add_case("a", channels=[IMAGE], mask=MASK)
    description = writer.finish(channel_names=["xray"], labels={"background": 0, "bone": 1})
    written = json.loads((writer.folder / "dataset.json").read_text())
    assert sorted(written) == ["channel_names", "file_ending", "labels", "name", "numTraining"]
    assert isinstance(description, DatasetDescription)


def test_auxiliary_labels_are_written_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """And read again; a label that is not one leaves the dataset unfinished."""
    writer = DatasetWriter(folder=tmp_path / "Dataset007_Spine")
    writer.add_case("a", channels=[IMAGE], mask=MASK)
    labels = {"background": 0, "C7": 1, "T1": 2, "rib": 3}
    with pytest.raises(DatasetError, match="'skull' is not a label"):
        writer.finish(channel_names=["xray"], labels=labels, auxiliary=["skull"])
    assert not (writer.folder / "dataset.json").exists()
    description = writer.finish(channel_names=["xray"], labels=labels, auxiliary={"rib", "T1"})
    assert json.loads((writer.folder / "dataset.json").read_text())["auxiliary"] == ["T1", "rib"]
    assert description == read_description(writer.folder)


@pytest.mark.parametrize(
    ("case", "mask", "message"),
    [
        ("a", MASK[:-1], "have different sizes"),
        ("a", None, "needs a mask"),
        ("../a", MASK, "is not a valid file name"),
        (".a", MASK, "is not a valid file name"),
        ("", MASK, "is not a valid file name"),
    ],
)
def test_impossible_cases_are_refused(
    tmp_path: Path, case: str, mask: np.ndarray | None, message: str
) -> None:
    """Nothing of an invalid case is written."""
    writer = DatasetWriter(folder=tmp_path / "Dataset007_Spine")
    with pytest.raises(DatasetError, match=message):
        writer.add_case(case, channels=[IMAGE], mask=mask)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"bone": 1}, "background"),
        ({"background": 0, "bone": 2}, "without gaps"),
        ({"background": 0, "a": 1, "b": 1}, "without gaps"),
        ({"background": 0}, "1 to 255 labels"),
        ({"background": 0, " ": 1}, "has no name"),
    ],
)
def test_impossible_labels_leave_the_dataset_unfinished(
    tmp_path: Path, labels: dict[str, int], message: str
) -> None:
    """dataset.json is not written."""
    writer = DatasetWriter(folder=tmp_path / "Dataset007_Spine")
    writer.add_case("a", channels=[IMAGE], mask=MASK)
    with pytest.raises(DatasetError, match=message):
        writer.finish(channel_names=["xray"], labels=labels)
    assert not (writer.folder / "dataset.json").exists()
