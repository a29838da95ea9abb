from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable

import pytest

from cervseg.core.errors import PlanError
from cervseg.core.types import Augmentation, Hardware, Plan
from cervseg.planning import constants
from cervseg.planning.constants import (
    NO_AUGMENTATION,
    UNET_SIZES,
    VIT_SIZES,
    WIDE_AUGMENTATION,
)
from cervseg.planning.families import FAMILIES
from cervseg.planning.planfile import edited
from cervseg.planning.rules import DEFAULT_RULES
from tests.planning.invented import gpu, images, processor, spread

MakePlan = Callable[..., Plan]
MACHINES = [
    processor(1),
    processor(2),
    processor(64, bfloat16=False),
    gpu(6),
    gpu(12),
    gpu(80),
    gpu(20, kind="mps"),
]


@pytest.mark.parametrize("hardware", MACHINES)
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_every_plan_is_whole(plan: MakePlan, hardware: Hardware, preset: str) -> None:
    """On any machine each rule of every configuration leaves a value, as configured, and a reason."""
    made = plan(hardware=hardware, preset=preset)
    assert list(made.configurations) == list(FAMILIES)
    assert list(FAMILIES) == ["2d_vit", "2d_cnn", "2d_deeplab", "2d_segformer", "2d_nnunet", "2d_lite"]
    keys = {f"{name}.{rule}" for name in made.configurations for rule in DEFAULT_RULES}
    assert set(made.decisions) == keys | {"cache_long_side_px"}
    for key, decision in made.decisions.items():
        assert decision.reason.endswith("."), key
    for name, configuration in made.configurations.items():
        assert tuple(made.decisions[f"{name}.input_size"].value) == configuration.input_size
        assert made.decisions[f"{name}.network"].value == configuration.network


@pytest.mark.parametrize("hardware", MACHINES)
def test_default_decisions_name_what_differs_from_the_paper(plan: MakePlan, hardware: Hardware) -> None:
    """Wherever the default preset decides otherwise than the published protocol, its reason says so.

    nnU-Net is not in the paper: its reasons compare with nnU-Net itself.
    """
    default, paper = plan(hardware=hardware), plan(hardware=hardware, preset="paper")
    for key, decision in default.decisions.items():
        if decision.value != paper.decisions[key].value and not key.endswith("num_workers"):
            family = FAMILIES[key.partition(".")[0]]
            assert f"{family.reference}: " in decision.reason, key


def test_two_cores(plan: MakePlan) -> None:
    """2 cores get a small ViT and U-Net, a frame like the images, bfloat16 and one loader."""
    made = plan(images(height=1600, width=1200))
    vit, cnn = made.configurations["2d_vit"], made.configurations["2d_cnn"]
    assert vit.network == VIT_SIZES["small"].network
    assert cnn.network == UNET_SIZES["small"].network
    assert vit.input_size == cnn.input_size == (384, 288)
    assert vit.hyperparameters.precision == "bfloat16"
    assert vit.hyperparameters.num_workers == 1
    assert "fold on 2 cores" in made.decisions["2d_cnn.epochs"].reason
    assert "15 s at 1024 x 1024" in made.decisions["2d_vit.network"].reason


def test_sixty_four_cores(plan: MakePlan) -> None:
    """Many cores afford the medium sizes and the longest frame, not the published ones."""
    made = plan(hardware=processor(64, bfloat16=False))
    vit = made.configurations["2d_vit"]
    assert vit.network == VIT_SIZES["medium"].network
    assert max(vit.input_size) == 512
    assert vit.hyperparameters.precision == "float32"


@pytest.mark.parametrize(("memory_gib", "batch_size"), [(7.8, 1), (11.8, 1), (15.7, 2), (23.6, 3), (79.2, 8)])
def test_large_gpu(plan: MakePlan, memory_gib: float, batch_size: int) -> None:
    """8 GiB and more train the published networks at the published frame, with the batch that fits."""
    vit = plan(hardware=gpu(memory_gib)).configurations["2d_vit"]
    assert vit.network == VIT_SIZES["published"].network
    assert vit.input_size == (1024, 1024)
    assert (vit.resize, vit.hyperparameters.learning_rate) == ("pad", 1e-4)
    assert vit.hyperparameters.batch_size == batch_size


def test_gpu_cnn(plan: MakePlan) -> None:
    """The U-Net on a GPU is the published one, in a frame of 512 x 512 px shaped like the images."""
    cnn = plan(hardware=gpu(80)).configurations["2d_cnn"]
    assert cnn.network == UNET_SIZES["published"].network
    assert (cnn.network["features"], cnn.network["num_levels"]) == (64, 4)
    assert cnn.input_size == (576, 480)
    assert (cnn.loss, cnn.hyperparameters.learning_rate) == ("bce_dice", 1e-3)


def test_sam_weights(plan: MakePlan) -> None:
    """A checkpoint brings SAM's normalization at the published size; without one the plan says so."""
    with_sam = plan(hardware=gpu(24), sam_checkpoint=True)
    without, small = plan(hardware=gpu(24)), plan(sam_checkpoint=True)
    assert with_sam.configurations["2d_vit"].normalization == "sam"
    assert with_sam.configurations["2d_cnn"].normalization == "zscore"
    assert without.configurations["2d_vit"].normalization == "zscore"
    assert "FROM SCRATCH" in without.decisions["2d_vit.network"].reason
    assert small.configurations["2d_vit"].normalization == "zscore"
    assert "the weights of the shipped model" in small.decisions["2d_vit.network"].reason


def test_small_transformers_start_from_shipped_weights(plan: MakePlan) -> None:
    """Their tokens come from convolutions; the loss keeps BCE, because the last layer may be new."""
    starts = {2: "the weights of the shipped model", 16: "convolutions of the shipped model"}
    for cores, start in starts.items():
        made = plan(hardware=processor(cores))
        vit, decided = made.configurations["2d_vit"], made.decisions
        assert (vit.network["stem"], vit.normalization, vit.loss) == ("lite", "zscore", "cervspinenet_bce")
        assert start in decided["2d_vit.network"].reason
        assert start in decided["2d_vit.normalization"].reason
        assert "without SAM's weights" in decided["2d_vit.loss"].reason


def test_precision_follows_the_gpu(plan: MakePlan) -> None:
    """float16 on a GPU without bfloat16, float32 on Apple's."""
    old, apple = plan(hardware=gpu(12, bfloat16=False)), plan(hardware=gpu(16, kind="mps", bfloat16=False))
    assert old.configurations["2d_vit"].hyperparameters.precision == "float16"
    assert apple.configurations["2d_vit"].hyperparameters.precision == "float32"


@pytest.mark.parametrize(("num_cases", "epochs"), [(10, 1000), (40, 500), (200, 100), (400, 50), (5000, 50)])
def test_epochs_keep_the_number_of_image_passes(plan: MakePlan, num_cases: int, epochs: int) -> None:
    """About the paper's 20,000 image passes, between 50 and 1000 epochs, where time is no limit."""
    made = plan(images(num_cases=num_cases), gpu(80))
    assert made.configurations["2d_vit"].hyperparameters.epochs == epochs


def test_time_bounds_the_epochs_on_a_processor(plan: MakePlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold takes no longer than planned, but for a few epochs that there always are; a GPU is not bound."""
    monkeypatch.setattr(constants, "FOLD_TIME_S", 1.0)
    made = plan()
    assert made.configurations["2d_cnn"].hyperparameters.epochs == constants.FEWEST_EPOCHS
    assert "50 epochs would take about" in made.decisions["2d_cnn.epochs"].reason
    assert plan(hardware=gpu(80)).configurations["2d_cnn"].hyperparameters.epochs == 50


def test_small_datasets_get_small_batches(plan: MakePlan) -> None:
    """A fold of 16 images is not stepped through in two steps."""
    made = plan(images(num_cases=20), gpu(80))
    assert made.configurations["2d_vit"].hyperparameters.batch_size == 2


def test_augmentation(plan: MakePlan) -> None:
    """The same on all machines where there are enough images; images with a front are not flipped."""
    small, large = plan().configurations, plan(hardware=gpu(80)).configurations
    for configuration in (*small.values(), *large.values()):
        ranges = configuration.augmentation
        assert ranges.rotation_deg == 15
        assert (ranges.flip_horizontal, ranges.flip_vertical) == (0, 0)


def test_few_images_get_wide_augmentation(plan: MakePlan) -> None:
    """With fewer than 100 per fold; the reason says why."""
    few = plan(images(num_cases=120))
    assert few.configurations["2d_cnn"].augmentation == WIDE_AUGMENTATION
    assert few.configurations["2d_vit"].augmentation == WIDE_AUGMENTATION
    assert "96 training images per fold are few" in few.decisions["2d_cnn.augmentation"].reason
    assert plan(images(num_cases=125)).configurations["2d_cnn"].augmentation == Augmentation()


def test_a_level_of_augmentation(plan: MakePlan) -> None:
    """``augmentation=wide`` replaces all but the flips; single entries win, in any order."""
    for preset in ("default", "paper"):
        made = plan(
            overrides={
                "2d_cnn.rotation_deg": "3",
                "2d_cnn.augmentation": "wide",
                "2d_vit.augmentation": "off",
            },
            preset=preset,
        )
        assert made.configurations["2d_cnn"].augmentation == dataclasses.replace(
            WIDE_AUGMENTATION, rotation_deg=3.0
        )
        assert made.configurations["2d_vit"].augmentation == NO_AUGMENTATION
        decision = made.decisions["2d_cnn.augmentation"]
        assert decision.origin == "mixed"
        assert decision.reason.startswith("rotation_deg, level wide set with --set. The rest: ")
        assert edited(made) == []
    with pytest.raises(PlanError, match="unknown value 'wild'") as raised:
        plan(overrides={"augmentation": "wild"})
    assert "Did you mean wide?" in raised.value.hint


@pytest.mark.parametrize(
    ("overlap", "num_cases", "flips"), [(0.74, 400, 0.0), (0.76, 400, 0.5), (0.95, 19, 0.0)]
)
def test_images_that_could_be_their_mirror_image_are_flipped(
    plan: MakePlan, overlap: float, num_cases: int, flips: float
) -> None:
    """Enough of the label lies where its mirror image lies, in enough images; the reason says how much."""
    found = images(num_cases=num_cases)
    label = dataclasses.replace(found.labels["spinous_process"], mirror_overlap=overlap)
    made = plan(dataclasses.replace(found, labels={"spinous_process": label}))
    ranges = made.configurations["2d_cnn"].augmentation
    assert (ranges.flip_horizontal, ranges.flip_vertical) == (flips, 0.0)
    assert (f"({100 * overlap:.0f} % overlap)" in made.decisions["2d_cnn.augmentation"].reason) == bool(flips)
    one_sided = dataclasses.replace(label, mirror_overlap=0.0)
    made = plan(dataclasses.replace(found, labels={"canine": label, "left_lung": one_sided}))
    assert made.configurations["2d_cnn"].augmentation.flip_horizontal == 0


def test_paper_preset(plan: MakePlan) -> None:
    """The published protocol, whatever the machine."""
    made = plan(preset="paper", sam_checkpoint=True)
    vit, cnn = made.configurations["2d_vit"], made.configurations["2d_cnn"]
    assert (vit.input_size, cnn.input_size) == ((1024, 1024), (512, 512))
    for name in ("2d_deeplab", "2d_segformer", "2d_nnunet", "2d_lite"):
        assert made.configurations[name].input_size == (512, 512)
    assert (vit.loss, cnn.loss) == ("cervspinenet", "bce")
    assert cnn.network == UNET_SIZES["published"].network
    assert (cnn.network["features"], cnn.network["num_levels"]) == (64, 4)
    for configuration in made.configurations.values():
        rate = 1e-4 if configuration is vit else 1e-3
        hyper = configuration.hyperparameters
        assert (configuration.resize, configuration.normalization) == ("stretch", "unit")
        assert (hyper.epochs, hyper.batch_size, hyper.precision) == (50, 1, "float32")
        assert (hyper.learning_rate, hyper.weight_decay, hyper.warmup_fraction) == (rate, 1e-2, 0.05)
        assert configuration.augmentation.probability == 0


def test_a_dataset_without_masks_or_labels_can_be_planned(plan: MakePlan) -> None:
    """Labels that no image shows do not stop the planner."""
    assert plan(images(num_cases=1, thickness=0)).configurations["2d_cnn"].hyperparameters.batch_size == 1


def test_overrides_for_one_and_for_both(plan: MakePlan) -> None:
    """A name with its configuration changes that one, a plain name all that know it; reasons say so."""
    made = plan(
        overrides={"2d_vit.epochs": "5", "learning_rate": "2e-3", "features": "16", "weight_decay": "0"}
    )
    vit, cnn = made.configurations["2d_vit"], made.configurations["2d_cnn"]
    assert vit.hyperparameters.epochs == 5
    assert cnn.hyperparameters.epochs != 5
    assert vit.hyperparameters.learning_rate == cnn.hyperparameters.learning_rate == 2e-3
    assert cnn.network["features"] == 16
    assert made.decisions["2d_vit.epochs"].origin == "user"
    assert made.decisions["2d_cnn.weight_decay"].origin == "user"
    assert made.decisions["2d_cnn.network"].origin == "mixed"
    assert made.decisions["2d_cnn.network"].reason.startswith("features set with --set. The rest: ")
    assert made.decisions["2d_cnn.epochs"].origin == "rule"


def test_later_rules_follow_overrides(plan: MakePlan) -> None:
    """A frame set by hand changes the estimate of time, and with it the epochs."""
    planned = plan(overrides={"2d_cnn.input_size": "384x384"}).configurations["2d_cnn"].hyperparameters.epochs
    larger = plan(overrides={"2d_cnn.input_size": "512x512"})
    assert larger.configurations["2d_cnn"].input_size == (512, 512)
    assert larger.configurations["2d_cnn"].hyperparameters.epochs < planned


def test_cache_follows_the_frames(plan: MakePlan) -> None:
    """1024 px unless a frame is longer or a hand says otherwise."""
    assert plan().cache_long_side_px == 1024
    assert plan(overrides={"2d_vit.input_size": "1536x1280"}).cache_long_side_px == 1536
    assert plan(overrides={"cache_long_side_px": "800"}).cache_long_side_px == 800


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"preset": "papr"}, "(?s)unknown value 'papr'.*Did you mean paper"),
        ({"variants": ("original", "clah")}, "Did you mean clahe"),
        ({"overrides": {"epoch": "5"}}, "Did you mean epochs"),
        ({"overrides": {"2d_vit.features": "5"}}, "unknown setting"),
        ({"overrides": {"3d_vit.epochs": "5"}}, "unknown setting"),
        ({"overrides": {"epochs": "0"}}, "epochs cannot be 0"),
        ({"overrides": {"input_size": "100x128"}}, "take 96 x 128"),
        (
            {"overrides": {"encoder": "resnet34"}},
            ": 2d_segformer\nhint: There are: mit_b0.* put its name in front",
        ),
        ({"variants": ()}, "variants"),
    ],
)
def test_mistakes_are_refused(plan: MakePlan, options: dict[str, object], expected: str) -> None:
    """Unknown names and impossible values are plan errors with a hint."""
    with pytest.raises(PlanError, match=expected):
        plan(**options)


def test_a_name_in_front_sets_one_configuration(plan: MakePlan) -> None:
    """An encoder of one family is none of another's."""
    made = plan(overrides={"2d_deeplab.encoder": "resnet34"})
    assert made.configurations["2d_deeplab"].network["encoder"] == "resnet34"
    assert made.configurations["2d_segformer"].network["encoder"] == "mit_b0"


def test_pretrained_encoders(plan: MakePlan) -> None:
    """DeepLabV3+ and SegFormer start from ImageNet weights, in smaller steps than in the preset "paper"."""
    for hardware, encoders in (
        (processor(2), ("resnet18", "mit_b0")),
        (processor(16), ("resnet34", "mit_b1")),
        (gpu(80), ("resnet50", "mit_b2")),
    ):
        made, paper = plan(hardware=hardware), plan(hardware=hardware, preset="paper")
        for name, encoder in zip(("2d_deeplab", "2d_segformer"), encoders, strict=True):
            default, published = made.configurations[name], paper.configurations[name]
            assert (default.network["encoder"], default.loss) == (encoder, "bce_dice")
            assert default.normalization == "zscore"
            assert 1e-4 <= default.hyperparameters.learning_rate <= 3e-4
            assert "ImageNet weights" in made.decisions[f"{name}.network"].reason
            assert "fine-tuned at 1e-4 to 3e-4" in made.decisions[f"{name}.learning_rate"].reason
            assert published.network["encoder"] in ("resnet50", "mit_b2")
            assert published.hyperparameters.learning_rate == 1e-3
            assert published.loss == "bce"


def test_nnunet(plan: MakePlan) -> None:
    """Its published widths on a large GPU, fewer filters on processors; Dice and BCE in both presets."""
    for hardware, features, levels in ((processor(2), 16, 6), (processor(16), 24, 6), (gpu(80), 32, 6)):
        made = plan(hardware=hardware).configurations["2d_nnunet"]
        assert (made.network["features"], made.network["num_levels"]) == (features, levels)
        assert made.network["norm"] == "instance"
        assert made.loss == "bce_dice"
    paper = plan(preset="paper")
    published = paper.configurations["2d_nnunet"]
    assert published.network == {"features": 32, "num_levels": 7, "max_features": 512, "norm": "instance"}
    assert (published.loss, published.input_size) == ("bce_dice", (512, 512))
    assert paper.decisions["2d_nnunet.resize"].reason == "Not in the paper; like its CNNs: stretched."


@pytest.mark.parametrize(
    ("hardware", "frame"),
    [
        (processor(1), (416, 352)),
        (processor(2), (416, 352)),
        (processor(16), (512, 448)),
        (gpu(24), (576, 480)),
    ],
)
def test_lite(plan: MakePlan, hardware: Hardware, frame: tuple[int, int]) -> None:
    """The same network everywhere, from ImageNet; its frame is large on a single core already."""
    made = plan(hardware=hardware)
    lite = made.configurations["2d_lite"]
    assert lite.network == {"decoder_widths": [128, 64, 48, 32]}
    assert (lite.input_size, lite.loss, lite.normalization) == (frame, "bce_dice", "zscore")
    assert lite.hyperparameters.learning_rate == 2e-3
    assert "initialized with the weights of the shipped model" in made.decisions["2d_lite.network"].reason
    assert "fine-tuned at 0.3 of this rate" in made.decisions["2d_lite.learning_rate"].reason


def test_planning_needs_no_torch() -> None:
    """Neither planning nor reading and printing plans imports torch."""
    code = (
        "import sys, cervseg.planning.planner, cervseg.planning.planfile, cervseg.planning.table\n"
        "sys.exit(bool({'torch', 'monai', 'segmentation_models_pytorch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_auxiliary_labels_count_for_flips_and_prompts_but_not_for_the_frame(plan: MakePlan) -> None:
    """A thin auxiliary label does not enlarge the frame; one on one side forbids flips."""
    found = images()
    label = dataclasses.replace(found.labels["spinous_process"], mirror_overlap=0.95)
    alone = plan(dataclasses.replace(found, labels={"canine": label})).configurations
    assert alone["2d_cnn"].augmentation.flip_horizontal == 0.5
    wire = dataclasses.replace(
        label, thickness_px=spread(2), area_fraction=spread(0.001), mirror_overlap=0.0, is_auxiliary=True
    )
    made = plan(dataclasses.replace(found, labels={"canine": label, "wire": wire}))
    assert made.configurations["2d_cnn"].input_size == alone["2d_cnn"].input_size
    assert "2.0 % of an image" in made.decisions["2d_cnn.loss"].reason
    assert made.configurations["2d_cnn"].augmentation.flip_horizontal == 0
    assert "wire" in made.configurations["2d_segformer"].network["prompts"]
