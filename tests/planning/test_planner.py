from __future__ import annotations

from collections.abc import Callable

import pytest

from cervseg.core.errors import PlanError
from cervseg.core.types import Hardware, Plan
from cervseg.planning import sizes
from cervseg.planning.rules import DEFAULT_RULES
from cervseg.planning.sizes import UNET_SIZES, VIT_SIZES, forward_gflop
from tests.planning.invented import films, gpu, processor

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
    """On any machine each rule of both configurations leaves a value, as configured, and a reason."""
    made = plan(hardware=hardware, preset=preset)
    assert list(made.configurations) == ["2d_vit", "2d_cnn"]
    keys = {f"{name}.{rule}" for name in made.configurations for rule in DEFAULT_RULES}
    assert set(made.decisions) == keys | {"cache_long_side_px"}
    for key, decision in made.decisions.items():
        assert decision.reason.endswith("."), key
    assert tuple(made.decisions["2d_cnn.input_size"].value) == made.configurations["2d_cnn"].input_size


@pytest.mark.parametrize("hardware", MACHINES)
def test_default_decisions_name_what_differs_from_the_paper(plan: MakePlan, hardware: Hardware) -> None:
    """Wherever the default preset decides otherwise than the published protocol, its reason says so."""
    default, paper = plan(hardware=hardware), plan(hardware=hardware, preset="paper")
    for key, decision in default.decisions.items():
        if decision.value != paper.decisions[key].value and not key.endswith("num_workers"):
            assert "paper" in decision.reason.lower(), key


def test_two_cores(plan: MakePlan) -> None:
    """2 cores get a small ViT and U-Net, a frame like the films, bfloat16 and one loader."""
    made = plan(films(height=1600, width=1200))
    vit, cnn = made.configurations["2d_vit"], made.configurations["2d_cnn"]
    assert vit.network == VIT_SIZES["small"].network
    assert cnn.network == UNET_SIZES["small"].network
    assert vit.input_size == cnn.input_size == (384, 288)
    assert vit.hyperparameters.precision == "bfloat16"
    assert vit.hyperparameters.num_workers == 1
    assert "fold on 2 cores" in made.decisions["2d_cnn.epochs"].reason
    assert "14 s a film at 1024 x 1024" in made.decisions["2d_vit.network"].reason


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
    """The U-Net on a GPU is the published one, in a frame of 512 x 512 px shaped like the films."""
    cnn = plan(hardware=gpu(80)).configurations["2d_cnn"]
    assert cnn.network == UNET_SIZES["published"].network
    assert (cnn.network["features"], cnn.network["num_levels"]) == (64, 4)
    assert cnn.input_size == (576, 480)
    assert (cnn.loss, cnn.hyperparameters.learning_rate) == ("bce_dice", 1e-3)


def test_sam_weights(plan: MakePlan) -> None:
    """A checkpoint brings SAM's normalization where it fits; without one the plan says "from scratch"."""
    with_sam = plan(hardware=gpu(24), sam_checkpoint=True)
    without, small = plan(hardware=gpu(24)), plan(sam_checkpoint=True)
    assert with_sam.configurations["2d_vit"].normalization == "sam"
    assert with_sam.configurations["2d_cnn"].normalization == "zscore"
    assert without.configurations["2d_vit"].normalization == "zscore"
    assert "FROM SCRATCH" in without.decisions["2d_vit.network"].reason
    assert small.configurations["2d_vit"].normalization == "zscore"
    assert "does not fit" in small.decisions["2d_vit.network"].reason


def test_precision_follows_the_gpu(plan: MakePlan) -> None:
    """float16 on a GPU without bfloat16, float32 on Apple's."""
    old, apple = plan(hardware=gpu(12, bfloat16=False)), plan(hardware=gpu(16, kind="mps", bfloat16=False))
    assert old.configurations["2d_vit"].hyperparameters.precision == "float16"
    assert apple.configurations["2d_vit"].hyperparameters.precision == "float32"


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(1600, 1200, (384, 288)), (1200, 1600, (288, 384)), (1000, 1000, (320, 320)), (200, 150, (192, 128))],
)
def test_frame_is_shaped_like_the_films(
    plan: MakePlan, height: int, width: int, expected: tuple[int, int]
) -> None:
    """Portrait, landscape and square films get such frames; small films are never enlarged."""
    assert plan(films(height=height, width=width)).configurations["2d_cnn"].input_size == expected


def test_frame_is_square_where_aspects_vary(plan: MakePlan) -> None:
    """Portrait and landscape films together get a square frame."""
    made = plan(films(height=1600, width=1200, aspects=(0.6, 1.5)))
    assert made.configurations["2d_cnn"].input_size == (320, 320)
    reason = made.decisions["2d_cnn.input_size"].reason
    assert "square, as the films' height/width goes from 0.60 to 1.50" in reason


def test_frame_grows_for_thin_structures(plan: MakePlan) -> None:
    """Thin structures enlarge the frame, within bounds; what stays too thin is said."""
    reason = plan(films(thickness=9)).decisions["2d_cnn.input_size"].reason
    assert "enlarged from 384 x 320" in reason
    assert "wanted" not in reason
    thinnest = plan(films(thickness=2))
    assert max(thinnest.configurations["2d_cnn"].input_size) <= 512
    assert "less than the 3.5 wanted" in thinnest.decisions["2d_cnn.input_size"].reason


@pytest.mark.parametrize(("num_cases", "epochs"), [(10, 1000), (40, 500), (200, 100), (400, 50), (5000, 50)])
def test_epochs_keep_the_number_of_film_passes(plan: MakePlan, num_cases: int, epochs: int) -> None:
    """About the paper's 20,000 film passes, between 50 and 1000 epochs, where time is no limit."""
    made = plan(films(num_cases=num_cases), gpu(80))
    assert made.configurations["2d_vit"].hyperparameters.epochs == epochs


def test_time_bounds_the_epochs_on_a_processor(plan: MakePlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold takes no longer than planned, but for a few epochs that there always are; a GPU is not bound."""
    monkeypatch.setattr(sizes, "FOLD_TIME_S", 1.0)
    made = plan()
    assert made.configurations["2d_cnn"].hyperparameters.epochs == sizes.FEWEST_EPOCHS
    assert "50 epochs would take about" in made.decisions["2d_cnn.epochs"].reason
    assert plan(hardware=gpu(80)).configurations["2d_cnn"].hyperparameters.epochs == 50


def test_small_datasets_get_small_batches(plan: MakePlan) -> None:
    """A fold of 16 films is not stepped through in two steps."""
    made = plan(films(num_cases=20), gpu(80))
    assert made.configurations["2d_vit"].hyperparameters.batch_size == 2


def test_augmentation(plan: MakePlan) -> None:
    """No flips ever; a small transformer from random weights sees lighter changes."""
    small, large = plan().configurations, plan(hardware=gpu(80)).configurations
    assert (small["2d_vit"].augmentation.rotation_deg, small["2d_cnn"].augmentation.rotation_deg) == (8, 15)
    assert large["2d_vit"].augmentation.rotation_deg == 15
    for configuration in (*small.values(), *large.values()):
        ranges = configuration.augmentation
        assert (ranges.flip_horizontal, ranges.flip_vertical) == (0, 0)


def test_paper_preset(plan: MakePlan) -> None:
    """The published protocol, whatever the machine."""
    made = plan(preset="paper", sam_checkpoint=True)
    vit, cnn = made.configurations["2d_vit"], made.configurations["2d_cnn"]
    assert (vit.input_size, cnn.input_size) == ((1024, 1024), (512, 512))
    assert (vit.loss, cnn.loss) == ("cervspinenet", "bce")
    assert cnn.network == UNET_SIZES["published"].network
    assert (cnn.network["features"], cnn.network["num_levels"]) == (64, 4)
    for configuration, rate in ((vit, 1e-4), (cnn, 1e-3)):
        hyper = configuration.hyperparameters
        assert (configuration.resize, configuration.normalization) == ("stretch", "unit")
        assert (hyper.epochs, hyper.batch_size, hyper.precision) == (50, 1, "float32")
        assert (hyper.learning_rate, hyper.weight_decay, hyper.warmup_fraction) == (rate, 1e-2, 0.05)
        assert configuration.augmentation.probability == 0


def test_a_dataset_without_masks_or_labels_can_be_planned(plan: MakePlan) -> None:
    """Labels that no film shows do not stop the planner."""
    assert plan(films(num_cases=1, thickness=0)).configurations["2d_cnn"].hyperparameters.batch_size == 1


def test_costs_grow_as_they_must() -> None:
    """ViT-B at 1024 costs about 0.94 TFLOP; a U-Net's cost grows with px and width squared."""
    vit = forward_gflop("2d_vit", VIT_SIZES["published"].network, (1024, 1024))
    assert vit == pytest.approx(940, rel=0.03)
    small = forward_gflop("2d_cnn", {"features": 32, "num_levels": 4}, (256, 256))
    assert forward_gflop("2d_cnn", {"features": 32, "num_levels": 4}, (512, 256)) == pytest.approx(2 * small)
    assert forward_gflop("2d_cnn", {"features": 64, "num_levels": 4}, (256, 256)) == pytest.approx(
        4 * small, rel=0.01
    )


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
    assert made.decisions["2d_vit.epochs"].reason == "set by hand"
    assert made.decisions["2d_cnn.weight_decay"].reason == "set by hand"
    assert made.decisions["2d_cnn.network"].reason.startswith("features set by hand; otherwise: ")
    assert made.decisions["2d_cnn.epochs"].reason != "set by hand"


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
        ({"preset": "papr"}, "Did you mean paper"),
        ({"overrides": {"epoch": "5"}}, "Did you mean epochs"),
        ({"overrides": {"2d_vit.features": "5"}}, "no such setting"),
        ({"overrides": {"3d_vit.epochs": "5"}}, "no such setting"),
        ({"overrides": {"epochs": "0"}}, "epochs cannot be 0"),
        ({"overrides": {"input_size": "100x128"}}, "take 96 x 128"),
        ({"variants": ()}, "variants"),
    ],
)
def test_mistakes_are_refused(plan: MakePlan, options: dict[str, object], expected: str) -> None:
    """Unknown names and impossible values are plan errors that tell the mend."""
    with pytest.raises(PlanError, match=expected):
        plan(**options)
