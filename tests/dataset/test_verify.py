import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.core.types import DatasetDescription
from cervseg.dataset.verify import verify_dataset
from cervseg.dataset.writer import DatasetWriter
from cervseg.imageio import write_gray, write_mask

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
MASK = (IMAGE > 200).astype(np.uint8)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, DatasetDescription]:
    """A sound dataset of four cases, a to d."""
    writer = DatasetWriter(folder=tmp_path / "Dataset001_Spine")
    for case in "abcd":
        writer.add_case(case, channels=[IMAGE], mask=MASK)
    return writer.folder, writer.finish(channel_names=["xray"], labels={"background": 0, "bone": 1})


def findings(folder: Path, description: DatasetDescription, *, workers: int = 1) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        verify_dataset(folder, description, workers=workers, progress=False)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_a_sound_dataset_has_no_findings(made: tuple[Path, DatasetDescription]) -> None:
    """Nothing raised, nothing to remark; mixed endings are sound too."""
    folder, description = made
    (folder / "imagesTr/a_0000.png").unlink()
    write_gray(folder / "imagesTr/a_0000.tif", IMAGE)
    assert verify_dataset(folder, description, workers=2, progress=False) == ()


def test_all_findings_at_once(made: tuple[Path, DatasetDescription]) -> None:
    """One error lists a truncated image, a missing and a lonely mask, other sizes and unknown values."""
    folder, description = made
    data = (folder / "imagesTr/a_0000.png").read_bytes()
    (folder / "imagesTr/a_0000.png").write_bytes(data[: len(data) // 2])
    (folder / "labelsTr/b.png").rename(folder / "labelsTr/lonely.png")
    write_mask(folder / "labelsTr/c.png", MASK[:-2])
    write_mask(folder / "labelsTr/d.png", MASK * 255)
    found = findings(folder, description, workers=2)
    assert found == [
        "b: no mask in labelsTr",
        "lonely.png: a mask without image in imagesTr",
        f"is truncated: its end is missing: {folder / 'imagesTr/a_0000.png'} (Copy or export it again.)",
        "c: sizes differ: c_0000.png 30 x 20, mask c.png 30 x 18",
        "d.png: values 255 are no labels; run cervseg_convert paired",
    ]


def test_names_tell_too(made: tuple[Path, DatasetDescription]) -> None:
    """No channel number, a case twice, a channel too many, and numTraining."""
    folder, description = made
    write_gray(folder / "imagesTr/a_0000.tif", IMAGE)
    write_gray(folder / "imagesTr/b_0001.png", IMAGE)
    write_gray(folder / "imagesTr/e.png", IMAGE)
    assert findings(folder, replace(description, num_training=5)) == [
        "e.png: no channel number; call it e_0000.png",
        "a: twice there, as a_0000.png and a_0000.tif",
        "b: channel _0001 is not in dataset.json",
        "dataset.json: numTraining is 5, imagesTr holds 4 case(s)",
    ]


def test_nothing_to_learn(made: tuple[Path, DatasetDescription]) -> None:
    """All masks empty, then no images at all."""
    folder, description = made
    for case in "abcd":
        write_mask(folder / f"labelsTr/{case}.png", MASK * 0)
    assert findings(folder, description) == ["all 4 masks are empty: there is nothing to learn"]
    shutil.rmtree(folder / "imagesTr")
    shutil.rmtree(folder / "labelsTr")
    assert findings(folder, description) == ["imagesTr holds no images"]


def test_at_most_twenty_lines(made: tuple[Path, DatasetDescription]) -> None:
    """The rest is counted."""
    folder, description = made
    for number in range(25):
        write_gray(folder / f"imagesTr/x{number}.png", IMAGE)
    found = findings(folder, description)
    assert len(found) == 21
    assert found[-1] == "... and 5 more"


def test_remarks_are_no_errors(made: tuple[Path, DatasetDescription]) -> None:
    """An empty mask, a label that never occurs, names of unknown cases."""
    folder, description = made
    write_mask(folder / "labelsTr/a.png", MASK * 0)
    description = replace(description, labels={"background": 0, "bone": 1, "disc": 2}, groups={"z": "p"})
    assert verify_dataset(folder, description, workers=1, progress=False) == (
        "1 of 4 masks are empty (a)",
        "no mask holds the label disc",
        '"groups" in dataset.json names 1 unknown case(s) (z)',
    )
