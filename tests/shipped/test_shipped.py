"""The models of the package: small, described, found where nothing was trained, right on phantoms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cervseg.core.paths import Workspace
from cervseg.inference.find_model import describe, find_model
from cervseg.inference.predictor import Predictor
from cervseg.phantom.anatomy import LEVELS
from cervseg.phantom.radiograph import make_phantom
from cervseg.shipped import DEFAULT, about, is_shipped, shipped_models

UNSEEN_SEED = 990_001
TRANSFORMER = "spinous_cervspinenet"


@pytest.fixture(scope="module")
def model() -> Path:
    return shipped_models()[DEFAULT].path


def test_their_names() -> None:
    """One for predictions; both for trainings to start from."""
    assert list(shipped_models()) == [DEFAULT, TRANSFORMER]


@pytest.mark.parametrize(("name", "most_bytes"), [(DEFAULT, 12e6), (TRANSFORMER, 10e6)])
def test_it_is_small_and_has_a_card(name: str, most_bytes: float) -> None:
    """The card says what it is in one line, where it comes from and what it is not."""
    folder = shipped_models()[name]
    assert sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file()) <= most_bytes
    card = folder.card.read_text(encoding="utf-8")
    for word in ("phantoms", "not a medical device", "Apache-2.0", "Limits", "make pretrain"):
        assert word in card, word
    assert 20 < len(about(folder.path)) < 120


def test_it_is_used_where_nothing_was_trained(model: Path, tmp_path: Path) -> None:
    """By its name, and by default; a file system path of that name comes first."""
    workspace = Workspace.find(tmp_path)
    assert find_model(workspace) == model
    assert find_model(workspace, model=Path(DEFAULT)) == model
    assert is_shipped(model)
    assert describe(model) == f"{DEFAULT}: {about(model)}"
    (tmp_path / "Dataset001_A" / "own").mkdir(parents=True)
    assert describe(tmp_path / "Dataset001_A" / "own") == "Dataset001_A/own"


def test_it_finds_processes_and_levels_of_unseen_phantoms(model: Path) -> None:
    """Sixteen phantoms: mean Dice at least .85, nine of ten levels right, 97 % of those that are named."""
    predictor = Predictor.from_folder(model, device="cpu", show="levels")
    dice, right, named, total = [], 0, 0, 0
    for index in range(16):
        phantom = make_phantom(seed=UNSEEN_SEED, index=index, long_side_px=600)
        mask = predictor.predict(phantom.pixels).mask
        both = int(((mask > 0) & (phantom.mask > 0)).sum())
        dice.append(2 * both / max(int((mask > 0).sum()) + int(phantom.mask.sum()), 1))
        for value, level in enumerate(LEVELS, start=1):
            inside = mask[phantom.level_masks[level] > 0]
            if inside.any():
                total += 1
                found = int(np.bincount(inside[inside > 0]).argmax())
                named += found <= len(LEVELS)  # the value above says that the level is not known
                right += found == value
    assert np.mean(dice) >= 0.85, dice
    assert total >= 96
    assert right >= 0.9 * total
    assert right >= 0.97 * named


def test_the_transformer_finds_processes_of_unseen_phantoms() -> None:
    """Eight phantoms of the standard domain: mean Dice at least .8."""
    predictor = Predictor.from_folder(shipped_models()[TRANSFORMER].path, device="cpu")
    dice = []
    for index in range(8):
        phantom = make_phantom(seed=UNSEEN_SEED, index=index, long_side_px=600)
        mask = predictor.predict(phantom.pixels).mask
        both = int(((mask > 0) & (phantom.mask > 0)).sum())
        dice.append(2 * both / max(int((mask > 0).sum()) + int(phantom.mask.sum()), 1))
    assert np.mean(dice) >= 0.8, dice
