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
    """A valid dataset of four cases, a to d."""
    writer = DatasetWriter(folder=tmp_path / "Dataset001_Spine")
    for case in "abcd":
        writer.add_case(case, channels=[IMAGE], mask=MASK)
    return writer.folder, writer.finish(channel_names=["xray"], labels={"background": 0, "bone": 1})


def findings(folder: Path, description: DatasetDescription, *, workers: int = 1) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        verify_dataset(folder, description, workers=workers, progress=False)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_a_valid_dataset_has_no_findings(made: tuple[Path, DatasetDescription]) -> None:
    """No error, no remarks; mixed file formats are fine too."""
    folder, description = made
    (folder / "imagesTr/a_0000.png").unlink()
    write_gray(folder / "imagesTr/a_0000.tif", IMAGE)
    assert verify_dataset(folder, description, workers=2, progress=False) == ()


def test_all_findings_at_once(made: tuple[Path, DatasetDescription]) -> None:
    """A truncated image, missing mask, lonely mask, other size and unknown value: one error, five lines."""
    folder, description = made
    data = (folder / "imagesTr/a_0000.png").read_bytes()
    (folder / "imagesTr/a_0000.png").write_bytes(data[: len(data) // 2])
    (folder / "labelsTr/b.png").rename(folder / "labelsTr/lonely.png")
    write_mask(folder / "labelsTr/c.png", MASK[:-2])
    write_mask(folder / "labelsTr/d.png", MASK * 255)
    found = findings(folder, description, workers=2)
    assert found == [
        "b: no mask in labelsTr; add it or move the image to imagesTs",
        "lonely.png: no image in imagesTr; add it or remove the mask",
        f"is truncated: its end is missing: {folder / 'imagesTr/a_0000.png'} (Copy or export it again.)",
        "c: different sizes: c_0000.png 30 x 20, mask c.png 30 x 18; export all files of a case at one size",
        "d.png: unknown label value 255; convert masks of 0 and 255 with cervseg_convert paired",
    ]


def test_findings_from_names(made: tuple[Path, DatasetDescription]) -> None:
    """No channel number, a duplicate, an unknown channel, and numTraining."""
    folder, description = made
    write_gray(folder / "imagesTr/a_0000.tif", IMAGE)
    write_gray(folder / "imagesTr/b_0001.png", IMAGE)
    write_gray(folder / "imagesTr/e.png", IMAGE)
    assert findings(folder, replace(description, num_training=5)) == [
        "e.png: no channel number in the name; rename it to e_0000.png",
        "a: duplicate images a_0000.png and a_0000.tif; remove one of them",
        "b: channel _0001 is not in dataset.json; add it to channel_names or remove the file",
        "dataset.json: numTraining is 5, but imagesTr has 4 case(s)",
    ]


def test_nothing_to_train_on(made: tuple[Path, DatasetDescription]) -> None:
    """All masks empty, then no images at all."""
    folder, description = made
    for case in "abcd":
        write_mask(folder / f"labelsTr/{case}.png", MASK * 0)
    assert findings(folder, description) == ["all 4 masks are empty; there is nothing to train on"]
    shutil.rmtree(folder / "imagesTr")
    shutil.rmtree(folder / "labelsTr")
    assert findings(folder, description) == ["imagesTr has no images"]


def test_at_most_twenty_lines(made: tuple[Path, DatasetDescription]) -> None:
    """The rest is counted."""
    folder, description = made
    for number in range(25):
        write_gray(folder / f"imagesTr/x{number}.png", IMAGE)
    found = findings(folder, description)
    assert len(found) == 21
    assert found[-1] == "... and 5 more"


def test_remarks_are_not_errors(made: tuple[Path, DatasetDescription]) -> None:
    """An empty mask, a label that no mask has, groups of unknown cases."""
    folder, description = made
    write_mask(folder / "labelsTr/a.png", MASK * 0)
    description = replace(description, labels={"background": 0, "bone": 1, "disc": 2}, groups={"z": "p"})
    assert verify_dataset(folder, description, workers=1, progress=False) == (
        "1 of 4 masks are empty (a)",
        "no mask has the label disc",
        '"groups" in dataset.json lists 1 unknown case(s) (z)',
    )


def test_missing_channels_and_duplicate_masks(made: tuple[Path, DatasetDescription]) -> None:
    """Names of several suffixes keep them; each line says what to do."""
    folder, description = made
    write_mask(folder / "labelsTr/a.tif", MASK)
    (folder / "imagesTr/scan.nii.gz").touch()
    found = findings(folder, replace(description, channel_names=("xray", "edges")))
    assert found[0] == "scan.nii.gz: no channel number in the name; rename it to scan_0000.nii.gz"
    assert found[1] == "a: channel _0001 is missing; dataset.json lists 2 channel(s)"
    assert "a: duplicate masks a.png and a.tif; remove one of them" in found


def test_an_auxiliary_label_may_be_missing_in_images(made: tuple[Path, DatasetDescription]) -> None:
    """One image with it is enough; a label that no mask has is probably a mistake."""
    folder, description = made
    labels = {**description.labels, "rib": 2}
    description = replace(description, labels=labels, auxiliary=("rib",))
    (remark,) = verify_dataset(folder, description, workers=1, progress=False)
    assert remark == "no mask has the label rib"
    write_mask(folder / "labelsTr/a.png", MASK * 2)
    assert verify_dataset(folder, description, workers=1, progress=False) == ()
