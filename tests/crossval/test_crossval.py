"""Folds of a model, trained through the command that a user types."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from cervseg.cli import plan_and_preprocess, predict, train
from cervseg.core import registry
from cervseg.crossval import setup
from cervseg.networks.checkpoint import Checkpoint, network_from_checkpoint, read_checkpoint
from cervseg.networks.lora import ALPHA
from cervseg.training.data import Batch, BatchPlan
from tests.shapes import write_blob_dataset

COMMON = ["input_size=64x64", "batch_size=2", "precision=float32", "num_workers=1", "epochs=2"]
VIT = [*COMMON, "embed_dim=32", "depth=2", "num_heads=2", "out_chans=16", "decoder_widths=16,16,8,8"]
CNN = [*COMMON, "features=8", "num_levels=3", "norm=instance"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of a disc, planned and prepared."""
    root = tmp_path_factory.mktemp("crossval")
    write_blob_dataset(root, num=10)
    assert plan_and_preprocess.main(["-d", "1", "--root", str(root)]) == 0
    return root


def train_it(root: Path, trainer: str, *settings: str, fold: str = "0", more: tuple[str, ...] = ()) -> int:
    sizes = VIT if trainer == "CervSpineNetTrainer" else CNN
    where = ["1", trainer, "-f", fold, "--device", "cpu", "--root", str(root), *more]
    return train.main([*where, "--set", *sizes, *settings])


def model_of(root: Path, trainer: str) -> Path:
    return root / "results" / "Dataset001_Blobs" / f"{trainer}__plans__original"


def content_of(root: Path, trainer: str, *, fold: str = "0", kind: str = "best") -> Checkpoint:
    return read_checkpoint(model_of(root, trainer) / f"fold_{fold}" / f"checkpoint_{kind}.pt")


def test_lora(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Few parameters train; the best checkpoint is a plain network, training resumes from the latest."""
    assert train_it(workspace, "CervSpineNetTrainer", "lora_rank=2", more=("--restart",)) == 0
    line = next(row for row in capsys.readouterr().out.splitlines() if row.startswith("fold 0: "))
    assert " M train), input 64 x 64" in line
    best, latest = (content_of(workspace, "CervSpineNetTrainer", kind=kind) for kind in ("best", "latest"))
    assert not any("lora" in name for name in best.state_dict)
    assert sum("lora" in name for name in latest.state_dict) == 4
    a, b = (latest.state_dict[f"encoder.blocks.1.attn.qkv.lora_{part}"] for part in "ab")
    assert bool(b.any())
    if best.epoch == latest.epoch:
        name = "encoder.blocks.1.attn.qkv.weight"
        torch.testing.assert_close(best.state_dict[name], latest.state_dict[name] + ALPHA / 2 * b @ a)
    network_from_checkpoint(best)
    images = workspace / "raw_data" / "Dataset001_Blobs" / "imagesTr"
    model = model_of(workspace, "CervSpineNetTrainer")
    assert predict.main(["-i", str(images), "-o", str(tmp_path / "masks"), "-m", str(model)]) == 0
    assert train_it(workspace, "CervSpineNetTrainer", "lora_rank=2", "epochs=3", more=("--continue",)) == 0
    assert content_of(workspace, "CervSpineNetTrainer", kind="latest").epoch == 3


def test_a_frozen_encoder_and_its_features(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without augmentation all images' features are kept; the encoder ends as it began; the user is told."""
    settings = ("freeze_encoder=true", "probability=0", "accumulate=2", "checkpoint_blocks=true")
    assert train_it(workspace, "CervSpineNetTrainer", *settings, more=("--restart",)) == 0
    said = capsys.readouterr().out
    assert "features of the frozen encoder: 10 images kept" in said
    assert "warning: the frozen part of the encoder has random weights" in said
    states = [content_of(workspace, "CervSpineNetTrainer", kind=k).state_dict for k in ("best", "latest")]
    assert all(torch.equal(states[0][n], states[1][n]) for n in states[0] if n.startswith("encoder."))


def test_a_network_without_an_encoder_is_refused_in_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and a hint."""
    assert train_it(workspace, "UNetTrainer", "freeze_encoder=true", more=("--restart",)) == 2
    assert "Leave freeze_encoder out" in capsys.readouterr().err


def test_distillation(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A U-Net is distilled from a transformer with another frame; log and checkpoint record it."""
    assert train_it(workspace, "CervSpineNetTrainer", "input_size=96x64", more=("--restart",)) == 0
    teacher = tmp_path / "Dataset001_Blobs" / "Teacher"
    shutil.copytree(model_of(workspace, "CervSpineNetTrainer"), teacher)
    taught = ("--restart", "--teacher", str(teacher))
    capsys.readouterr()
    assert train_it(workspace, "UNetTrainer", "distill_weight=0.3", more=taught) == 0
    assert "teacher: Dataset001_Blobs/Teacher (fold_0)" in capsys.readouterr().out
    fold = model_of(workspace, "UNetTrainer") / "fold_0"
    rows = [json.loads(row) for row in (fold / "log.jsonl").read_text().splitlines()]
    assert all(row["terms"]["distillation"] > 0 for row in rows)
    assert rows[0]["loss"] == pytest.approx(sum(rows[0]["terms"].values()))
    assert content_of(workspace, "UNetTrainer").model.teacher == "Dataset001_Blobs/Teacher (fold_0)"
    # Resuming without the teacher would be another training.
    assert train_it(workspace, "UNetTrainer", "distill_weight=0.3", "epochs=3", more=("--continue",)) == 2
    assert "teacher: Dataset001_Blobs/Teacher (fold_0) before" in capsys.readouterr().err
    # The teacher was trained on the validation cases of any other fold.
    assert train_it(workspace, "UNetTrainer", fold="1", more=taught) == 2
    assert "the teacher has no fold_1" in capsys.readouterr().err


TRANSFORMING = """
from cervseg.trainers.unet import UNetTrainer

class NnunetListTrainer(UNetTrainer):
    def transforms(self, plan):
        from batchgenerators.transforms.color_transforms import ContrastAugmentationTransform, GammaTransform
        from batchgenerators.transforms.noise_transforms import GaussianNoiseTransform
        from batchgenerators.transforms.spatial_transforms import MirrorTransform

        return [
            GaussianNoiseTransform(p_per_sample=0.5),
            ContrastAugmentationTransform(p_per_sample=0.5),
            GammaTransform((0.7, 1.5), retain_stats=True, p_per_sample=0.5),
            MirrorTransform((0, 1)),
        ]
"""


def test_a_trainer_with_transforms_of_its_own(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They reach the training images, not the validation; a teacher is refused; a seed repeats."""
    monkeypatch.setattr(registry, "_registered", {registry.TRAINERS: {}, registry.NETWORKS: {}})
    used: list[BatchPlan] = []
    made = setup.BatchPlan
    monkeypatch.setattr(setup, "BatchPlan", lambda **parts: used.append(made(**parts)) or used[-1])
    (tmp_path / "mine.py").write_text(TRANSFORMING)
    where = ["1", "-f", "0", "--device", "cpu", "--root", str(workspace), "--restart"]
    where += ["--trainer-file", str(tmp_path / "mine.py")]
    states = []
    for settings in ([], ["num_workers=4"], ["seed=0", "augmentation=off"]):
        monkeypatch.setattr(registry, "_registered", {registry.TRAINERS: {}, registry.NETWORKS: {}})
        assert train.main([*where, "--set", *CNN, *settings]) == 0
        states.append(content_of(workspace, "NnunetListTrainer", kind="latest").state_dict)
    assert [type(transform).__name__ for transform in used[0].transforms][::3] == [
        "GaussianNoiseTransform",
        "MirrorTransform",
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])
    teacher = tmp_path / "Dataset001_Blobs" / "Teacher"
    shutil.copytree(model_of(workspace, "NnunetListTrainer"), teacher)
    monkeypatch.setattr(registry, "_registered", {registry.TRAINERS: {}, registry.NETWORKS: {}})
    capsys.readouterr()
    assert train.main([*where, "--teacher", str(teacher), "--set", *CNN]) == 2
    assert "a trainer with transforms of its own cannot learn from a teacher" in capsys.readouterr().err


def test_a_refused_run_deletes_nothing(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If a run is refused (a model as its own teacher, an invalid setting), --restart deletes nothing."""
    assert train_it(workspace, "UNetTrainer", "epochs=1", more=("--restart",)) == 0
    model = model_of(workspace, "UNetTrainer")
    assert train_it(workspace, "UNetTrainer", more=("--restart", "--teacher", str(model))) == 2
    assert "cannot teach itself" in capsys.readouterr().err
    assert train_it(workspace, "UNetTrainer", "lora_rank=4", more=("--restart",)) == 2
    assert "Leave lora_rank out" in capsys.readouterr().err
    for name in ("checkpoint_best.pt", "checkpoint_latest.pt", "finished.json"):
        assert (model / "fold_0" / name).is_file()


def test_a_file_of_weights_leaves_the_frozen_text_in_place(workspace: Path) -> None:
    """The source of the weights is the file; the text embedding keeps its own source."""
    small = ["encoder=mit_b0", "decoder_channels=16", "epochs=1"]
    common = ["input_size=64x64", "batch_size=2", "precision=float32", "num_workers=1"]
    where = ["1", "TextSegFormerTrainer", "-f", "0", "--device", "cpu", "--root", str(workspace)]
    assert train.main([*where, "--from-scratch", "--set", *common, *small]) == 0
    before = content_of(workspace, "TextSegFormerTrainer")
    source = before.model.run.started_from
    assert source["encoder"] is None
    best = workspace / "start.pt"
    shutil.copy(model_of(workspace, "TextSegFormerTrainer") / "fold_0" / "checkpoint_best.pt", best)
    assert train.main([*where, "--restart", "--weights", str(best), "--set", *common, *small]) == 0
    after = content_of(workspace, "TextSegFormerTrainer")
    assert after.model.run.started_from["text"] == source["text"]
    assert (after.model.run.started_from["network"] or "").endswith("from start.pt")
    text_D = after.state_dict["text_D"]
    torch.testing.assert_close(text_D, before.state_dict["text_D"])
    assert float(text_D.norm()) == pytest.approx(1.0, abs=1e-5)


def test_the_augmented_variant_leaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Grouped images: a copy trains where its source trains, in no other fold, and is never validated on."""
    write_blob_dataset(tmp_path, num=10)
    raw = tmp_path / "raw_data" / "Dataset001_Blobs"
    description = json.loads((raw / "dataset.json").read_text())
    names = sorted(path.stem for path in (raw / "labelsTr").iterdir())
    description["groups"] = {name: f"patient{index // 2}" for index, name in enumerate(names)}
    (raw / "dataset.json").write_text(json.dumps(description))
    arguments = ["-d", "1", "--root", str(tmp_path), "--variants", "original", "augmented"]
    assert plan_and_preprocess.main(arguments) == 0
    seen: dict[str, set[str]] = {}

    def spy(plan: BatchPlan, epoch: int, index: int, order: object) -> Batch:
        batch = make_batch(plan, epoch, index, order)  # type: ignore[arg-type]
        seen.setdefault("val" if plan.ranges is None else "train", set()).update(batch.cases)
        return batch

    make_batch = BatchPlan._batch
    monkeypatch.setattr(BatchPlan, "_batch", spy)
    folds = json.loads((tmp_path / "preprocessed" / "Dataset001_Blobs" / "splits_final.json").read_text())
    assert len(folds) == 5
    group = description["groups"]
    for number, fold in enumerate(folds):
        seen.clear()
        more = ("--variant", "augmented")
        assert train_it(tmp_path, "UNetTrainer", "epochs=1", fold=str(number), more=more) == 0
        assert seen["val"] == set(fold["val"])
        assert seen["train"] == {*fold["train"], *(f"{case}__copy" for case in fold["train"])}
        patients = {group[case.removesuffix("__copy")] for case in seen["train"]}
        assert not patients & {group[case] for case in fold["val"]}
        model = tmp_path / "results" / "Dataset001_Blobs" / "UNetTrainer__plans__augmented"
        scored = json.loads((model / f"fold_{number}" / "summary.json").read_text())["metric_per_case"]
        assert {entry["case"] for entry in scored} == set(fold["val"])
    assert "16 images to train on, 2 to validate on" in capsys.readouterr().out


def test_seeds_have_folders_of_their_own(workspace: Path) -> None:
    """A second seed neither resumes nor overwrites the first."""
    assert train_it(workspace, "UNetTrainer", "epochs=1", more=("--restart",)) == 0
    before = (model_of(workspace, "UNetTrainer") / "fold_0" / "checkpoint_best.pt").read_bytes()
    assert train_it(workspace, "UNetTrainer", "epochs=1", "seed=3") == 0
    other = model_of(workspace, "UNetTrainer").with_name("UNetTrainer__plans__original__seed3")
    assert read_checkpoint(other / "fold_0" / "checkpoint_best.pt").model.run.seed == 3
    assert (model_of(workspace, "UNetTrainer") / "fold_0" / "checkpoint_best.pt").read_bytes() == before
