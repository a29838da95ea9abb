from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from cervseg.core.errors import PlanError
from cervseg.core.types import Augmentation, Plan
from cervseg.planning.planfile import as_words, edited, read_plan, user_settings, write_plan
from tests.planning.invented import gpu

MakePlan = Callable[..., Plan]


def edit(path: Path, change: Callable[[Any], None]) -> Plan:
    """Change a plan's JSON as a hand would, and read it."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    return read_plan(path)


@pytest.fixture
def path(tmp_path: Path, plan: MakePlan) -> Path:
    """A written plan."""
    write_plan(tmp_path / "plans.json", plan())
    return tmp_path / "plans.json"


@pytest.mark.parametrize(
    "options", [{}, {"preset": "paper"}, {"hardware": gpu(80)}, {"overrides": {"depth": "4"}}]
)
def test_plans_survive_json(tmp_path: Path, plan: MakePlan, options: dict[str, Any]) -> None:
    """A plan read back equals the one written, and nothing in it counts as edited."""
    made = plan(**options)
    write_plan(tmp_path / "plans.json", made)
    assert read_plan(tmp_path / "plans.json") == made
    assert edited(made) == []


def test_edits_are_found(path: Path) -> None:
    """Values that differ from their decisions are listed, entries of networks and undecided values too."""

    def change(data: Any) -> None:
        data["cache_long_side_px"] = 512
        cnn, vit = data["configurations"]["2d_cnn"], data["configurations"]["2d_vit"]
        cnn["input_size"] = [512, 512]
        vit["network"]["depth"] = 8
        vit["hyperparameters"]["weight_decay"] = 0.05
        vit["augmentation"]["scale"] = [0.9, 1.1]

    changed = edit(path, change)
    assert sorted(edited(changed)) == [
        "2d_cnn.input_size: 512 x 512 (planned: 384 x 320)",
        "2d_vit.augmentation.scale: 0.9-1.1 (planned: 0.8-1.25)",
        "2d_vit.network.depth: 8 (planned: 6)",
        "2d_vit.weight_decay: 0.05 (planned: 0.01)",
        "cache_long_side_px: 512 (planned: 1024)",
    ]


def test_a_plan_without_the_later_ranges_of_augmentation(path: Path) -> None:
    """A plan of an earlier version loads, its ranges have their defaults, and it counts as not edited."""
    later = [field.name for field in fields(Augmentation)][12:]
    assert later[0] == "elastic"

    def change(data: Any) -> None:
        for configuration in data["configurations"].values():
            for name in later:
                del configuration["augmentation"][name]
        for key, decision in data["decisions"].items():
            if key.endswith(".augmentation"):
                for name in later:
                    del decision["value"][name]

    before = read_plan(path)
    changed = edit(path, change)
    assert changed.configurations == before.configurations
    assert edited(changed) == []


def test_an_average_switched_on_is_an_edit(path: Path) -> None:
    """What no rule decides stands at its default; any other value counts as set by hand."""

    def change(data: Any) -> None:
        data["configurations"]["2d_segformer"]["hyperparameters"]["ema_decay"] = 0.99

    assert edited(edit(path, change)) == ["2d_segformer.ema_decay: 0.99 (planned: 0)"]


def test_configurations_rule_over_decisions(path: Path) -> None:
    """A decision changed by hand changes nothing but shows as a difference."""

    def change(data: Any) -> None:
        data["decisions"]["2d_vit.epochs"]["value"] = 1

    changed = edit(path, change)
    assert changed.configurations["2d_vit"].hyperparameters.epochs != 1
    assert edited(changed)[0].endswith("(planned: 1)")


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        (("input_size",), [384, 300], "(?s)input_size cannot be 384 x 300: .*2d_cnn.*take 384 x 288"),
        (("input_size",), [384], "list of 2"),
        (("hyperparameters", "batch_size"), 0, "batch_size cannot be 0"),
        (("hyperparameters", "precision"), "half", "precision"),
        (("hyperparameters", "epoch"), 3, "unknown field 'epoch'"),
        (("resize",), "crop", "expected one of pad, stretch, got 'crop'"),
        (("normalization",), "minmax", "normalization"),
        (("loss",), "bce_dise", "Did you mean bce_dice"),
        (("augmentation", "scale"), [2.0, 1.0], "scale"),
        (("augmentation", "curve_probability"), 1.5, "curve_probability cannot be 1.5"),
        (("augmentation", "resolution"), [0.5, 2.0], "resolution cannot be 0.5"),
        (("augmentation", "sharpness"), [-2.0, 1.0], "sharpness cannot be -2.0 to 1.0"),
        (("augmentation", "erase_size"), [0.1, 2.0], "erase_size cannot be 0.1 to 2.0"),
        (("network", "num_levels"), 7, "num_levels"),
        (("network", "features"), 0, "features cannot be 0"),
        (("name",), "2d", "must be '2d_cnn'"),
    ],
)
def test_impossible_plans_are_refused(
    path: Path, keys: tuple[str, ...], value: object, expected: str
) -> None:
    """A plan with a wrong edit is refused on reading, with file, field and hint."""

    def change(data: Any) -> None:
        holder = data["configurations"]["2d_cnn"]
        for key in keys[:-1]:
            holder = holder[key]
        holder[keys[-1]] = value

    with pytest.raises(PlanError, match=expected) as caught:
        edit(path, change)
    assert "plans.json" in str(caught.value)


def test_a_missing_or_broken_plan(tmp_path: Path) -> None:
    """A missing file, invalid JSON and unknown fields are plan errors with a command as the hint."""
    with pytest.raises(PlanError, match="cervseg_plan_and_preprocess"):
        read_plan(tmp_path / "plans.json")
    (tmp_path / "plans.json").write_text("{")
    with pytest.raises(PlanError, match=r"(?s)not valid JSON.*--replan"):
        read_plan(tmp_path / "plans.json")
    (tmp_path / "plans.json").write_text("{}")
    with pytest.raises(PlanError, match=r"(?s)is missing.*--replan"):
        read_plan(tmp_path / "plans.json")
    (tmp_path / "plans.json").write_text('{"size": 1}')
    with pytest.raises(PlanError, match=r"(?s)Known fields: dataset.*--replan"):
        read_plan(tmp_path / "plans.json")


def test_a_plan_of_version_0_1_still_reads(path: Path, plan: MakePlan) -> None:
    """Decisions without an origin get one from the reasons that 0.1 wrote; the rest is unchanged."""
    old = {"2d_vit.epochs": "set by hand", "2d_vit.network": "depth set by hand; otherwise: 2 cores."}

    def change(data: Any) -> None:
        for key, decision in data["decisions"].items():
            del decision["origin"]
            decision["reason"] = old.get(key, decision["reason"])

    found = edit(path, change)
    assert found.decisions["2d_vit.epochs"].origin == "user"
    assert found.decisions["2d_vit.network"].origin == "mixed"
    assert user_settings(found) == ["2d_vit.network", "2d_vit.epochs"]
    assert found.configurations == plan().configurations


def test_settings_of_the_user_are_known_by_their_origin(plan: MakePlan) -> None:
    """The text of a reason does not matter: rules are not taken for settings, whatever they say."""
    made = plan(overrides={"2d_cnn.epochs": "5", "2d_cnn.features": "8"})
    told = {key: replace(decision, reason="set by hand") for key, decision in made.decisions.items()}
    assert user_settings(replace(made, decisions=told)) == ["2d_cnn.network", "2d_cnn.epochs"]


def test_values_in_words() -> None:
    """Sizes, ranges, lists and mappings as people write them."""
    assert as_words([384, 288]) == "384 x 288"
    assert as_words([0.8, 1.25]) == "0.8-1.25"
    assert as_words([2, 5, 8]) == "[2,5,8]"
    assert as_words({"depth": 6, "widths": [4]}) == "depth 6, widths [4]"
