from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.phantom.anatomy import LEVELS
from cervseg.phantom.dataset import write_phantom_dataset
from cervseg.phantom.masks import ANATOMY
from cervseg.phantom.mesh_set import MeshSet
from cervseg.phantom.radiograph import Domain, PhantomImage, make_phantom


def _image(meshes: MeshSet | None, *, share: float = 1.0, domain: Domain = "standard") -> PhantomImage:
    return make_phantom(
        seed=4,
        index=2,
        long_side_px=240,
        domain=domain,
        with_anatomy=True,
        meshes=meshes,
        mesh_share=share,
    )


@pytest.mark.parametrize("domain", ["standard", "wide"])
def test_same_contract_as_without_meshes(meshes: MeshSet, domain: Domain) -> None:
    """Levels, landmarks and masks have the same names, shapes and types; the view is the same."""
    image, outlines = _image(meshes, domain=domain), _image(None, domain=domain)
    assert image.attributes["bones"] == "meshes"
    assert "bones" not in outlines.attributes
    assert image.pixels.shape == outlines.pixels.shape
    assert image.pixels.dtype == outlines.pixels.dtype
    assert image.mm_per_pixel == outlines.mm_per_pixel
    assert tuple(image.level_masks) == LEVELS
    assert tuple(image.anatomy_masks) == ANATOMY
    assert set(image.landmarks) == set(outlines.landmarks)
    np.testing.assert_array_equal(image.mask, np.maximum.reduce(list(image.level_masks.values())))
    for mask in (*image.level_masks.values(), *image.anatomy_masks.values()):
        assert mask.dtype == np.uint8
        assert mask.shape == image.mask.shape
        assert mask.max() <= 1


def test_surfaces_take_the_places_of_the_outlines(meshes: MeshSet) -> None:
    """Landmarks of the bodies are near those of the same patient without surfaces; the pixels differ."""
    image, outlines = _image(meshes), _image(None)
    for name in ("C3 top left", "C5 bottom right", "C7 top right", "C5 spinolaminar"):
        apart_px = np.subtract(image.landmarks[name], outlines.landmarks[name])
        assert np.hypot(*apart_px) * image.mm_per_pixel < 6.0
    both = image.level_masks["C5"] & outlines.level_masks["C5"]
    assert both.sum() > 0.3 * outlines.level_masks["C5"].sum()
    assert np.abs(image.pixels.astype(int) - outlines.pixels).mean() > 2.0


def test_same_seed_and_index_same_bits(meshes: MeshSet) -> None:
    """Seed and index determine an image with surfaces completely."""
    np.testing.assert_array_equal(_image(meshes).pixels, _image(meshes).pixels)


def test_half_of_the_images_have_surfaces(meshes: MeshSet) -> None:
    """Without surfaces for an image, it is the same as without a folder; about half of them have surfaces."""
    np.testing.assert_array_equal(_image(meshes, share=0.0).pixels, _image(None).pixels)
    drawn = [
        "bones" in make_phantom(seed=1, index=i, long_side_px=64, domain="wide", meshes=meshes).attributes
        for i in range(8)
    ]
    assert 2 <= sum(drawn) <= 6


def test_dataset_with_meshes(folder: Path, meshes: MeshSet, tmp_path: Path) -> None:
    """A dataset with a folder of surfaces has the images that make_phantom makes with them."""
    target = tmp_path / "Dataset001_Phantom"
    write_phantom_dataset(
        folder=target,
        name="Phantom",
        num_train=2,
        num_test=0,
        seed=1,
        workers=1,
        long_side_px=64,
        meshes=folder,
        progress=False,
    )
    truths = [json.loads(path.read_text()) for path in sorted(target.glob("phantoms/*.json"))]
    images = [make_phantom(seed=1, index=i, long_side_px=64, meshes=meshes) for i in range(2)]
    assert [truth["attributes"] for truth in truths] == [image.attributes for image in images]
    assert any("bones" in image.attributes for image in images)


def test_missing_folder_stops_before_the_first_image(tmp_path: Path) -> None:
    """A wrong folder is an error of the whole dataset, not of an image."""
    with pytest.raises(DatasetError, match="folder of meshes not found"):
        write_phantom_dataset(
            folder=tmp_path / "Dataset001_Phantom",
            name="Phantom",
            num_train=1,
            num_test=0,
            seed=1,
            workers=1,
            meshes=tmp_path / "bones",
            progress=False,
        )
    assert not (tmp_path / "Dataset001_Phantom").exists()
