from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cervseg.core.types import Plan
from cervseg.planning.settings import configure
from cervseg.planning.table import plan_table
from tests.planning.invented import gpu, images, processor

MakePlan = Callable[..., Plan]


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_table_is_narrow_and_complete(plan: MakePlan, preset: str) -> None:
    """Asked for all, every rule is in it, no line is longer than 100 characters, nothing is starred."""
    made = plan(preset=preset)
    table = plan_table(made, made.configurations)
    assert max(map(len, table.splitlines())) <= 100
    for name in made.configurations:
        part = table.split(f"\n{name}\n")[1].split("\n\n")[0]
        rows = [line.split()[0] for line in part.splitlines() if line[0] != " "]
        assert rows == [key.partition(".")[2] for key in made.decisions if key.startswith(f"{name}.")]
    assert "*" not in table
    assert "in brief" not in table


def test_the_other_families_get_a_line_each(plan: MakePlan) -> None:
    """CervSpineNet and the U-Net in full; of the others network, frame, batch and epochs."""
    table = plan_table(plan(images(height=1600, width=1200), gpu(80)))
    lines = [line.split("  ") for line in table.splitlines()]
    brief = {line[0]: [text.strip() for text in line[1:] if text.strip()] for line in lines if line[0]}
    assert brief["2d_deeplab"] == ["DeepLabV3+ on resnet50", "608 x 448", "batch 8", "50 epochs"]
    assert brief["2d_segformer"] == ["text-guided SegFormer, mit_b2", "608 x 448", "batch 8", "50 epochs"]
    words = "nnU-Net's U-Net, 32 filters, 6 levels"
    assert brief["2d_nnunet"] == [words, "640 x 448", "batch 12", "50 epochs"]
    assert brief["2d_vit"] == brief["2d_cnn"] == []
    assert "for their reasons, see plans.json" in table
    assert max(map(len, table.splitlines())) <= 100


def test_only_what_is_asked_for_is_in_full(plan: MakePlan) -> None:
    """A name that is asked for is printed in full, and no other."""
    table = plan_table(plan(hardware=processor(8)), ["2d_nnunet"])
    assert table.count("num_workers") == 1
    assert "\n2d_cnn  " in table


def test_what_a_hand_changed_is_starred_and_in_full(plan: MakePlan) -> None:
    """A family that is printed in brief else is printed in full where it was edited."""
    made = plan()
    settings = {"decoder_channels": "64", "epochs": "7", "weight_decay": "0.05"}
    changed = configure(made.configurations["2d_deeplab"], settings)
    table = plan_table(replace(made, configurations={**made.configurations, "2d_deeplab": changed}))
    assert "Edited (decoder_channels, planned: 256)" in " ".join(table.split())
    assert "epochs *" in table
    assert "weight_decay *" in table
    assert "* edited in plans.json" in table
    assert "\n2d_deeplab\n" in table
    assert "\n2d_nnunet  " in table


def test_ranges_without_a_probability_are_not_shown(plan: MakePlan) -> None:
    """Strong changes appear where they are on; the level "wide" is one word."""
    normal = plan_table(plan(), ["2d_cnn"])
    assert "rotation_deg" in normal
    assert "grain" not in normal
    assert "strong" not in normal
    some = " ".join(plan_table(plan(overrides={"2d_cnn.grain_probability": "0.5"})).split())
    assert "strong" in some
    assert "grain_px" in some
    assert "curve" not in some
    lines = plan_table(plan(overrides={"2d_cnn.augmentation": "wide"})).splitlines()
    assert ["augmentation", "wide"] in [line.split()[:2] for line in lines]


def test_switched_off_augmentation_reads_off(plan: MakePlan) -> None:
    """The paper's plan shows "off", not twelve zeros."""
    lines = plan_table(plan(preset="paper")).splitlines()
    assert any(line.split()[:2] == ["augmentation", "off"] for line in lines)
