from cervseg.core.comparison import Estimate
from cervseg.core.study import Study, StudyModel, StudyModelResult
from cervseg.metrics.table import PAPER_METRICS
from cervseg.study.tables import make_tables


def result(trainer: str, title: str, variant: str = "original") -> StudyModelResult:
    return StudyModelResult(
        model=StudyModel(trainer=trainer, variant=variant, seed=0),
        title=title,
        folder="m",
        summary="s",
        predictions=("p",),
        oracle_points="oracle" in title,
        num_parameters=1 << 20,
        train_s=90.0,
        image_s=None,
        device="cpu",
        folds=("0",),
    )


def estimates(mean: float | None, *, std: float | None = None, undefined: int = 0) -> dict[str, Estimate]:
    low, high = (None, None) if mean is None else (mean - 0.01, mean + 0.01)
    one = Estimate(
        mean=mean, low=low, high=high, seed_std=std, num_cases=10 - undefined, num_undefined=undefined
    )
    return dict.fromkeys(PAPER_METRICS, one)


def study(*results: StudyModelResult) -> Study:
    return Study(
        dataset="Dataset001_Neck",
        scored_on="test",
        images="imagesTs",
        references="labelsTs",
        labels={"process": 1},
        models=results,
    )


def test_published_rows_follow_ours_and_the_best_is_marked() -> None:
    """Higher Dice and lower HD95 are best; the paper's rows are never marked."""
    made = study(result("UNetTrainer", "U-Net"), result("SAMTrainer", "SAM (oracle points)"))
    scores = {
        ("UNetTrainer", "original"): estimates(0.9, std=0.004),
        ("SAMTrainer", "original"): estimates(0.8, undefined=2),
    }
    table, cost = make_tables(made, scores)
    assert table.title == "Table 1. Systems, variant original"
    assert [row[0] for row in table.rows] == [
        "U-Net",
        "U-Net, published",
        "SAM (oracle points)",
        "SAM, published",
    ]
    assert table.published == (1, 3)
    assert table.rows[0][1] == "0.9000 ± 0.0040 [0.8900, 0.9100]"
    assert table.rows[2][1] == "0.8000 [0.7900, 0.8100] (2 u)"
    assert table.rows[1][4] == "3.13"
    assert {column: row for row, column in table.best} == {1: 0, 2: 0, 3: 0, 4: 2, 5: 0}
    assert "SAM (oracle points): given a point in every structure" in table.note
    assert cost.rows[0] == ("U-Net", "original", "0", "1,048,576", "4.0", "1.5", "not measured", "cpu")


def test_ablations_have_tables_of_their_own() -> None:
    """Tables 4 and 5 need two trainers; CervSpineNet is in both; a plug-in is a system."""
    names = ["CervSpineNetTrainer", "ViTBasicTrainer", "CervSpineNetDiceTrainer", "MineTrainer"]
    made = study(*(result(name, name) for name in names))
    tables = make_tables(made, {(name, "original"): estimates(0.5) for name in names})
    rows = {table.name: [row[0] for row in table.rows if "published" not in row[0]] for table in tables}
    assert rows["table_systems_original"] == ["CervSpineNetTrainer", "MineTrainer"]
    assert rows["table_architectures"] == ["ViTBasicTrainer", "CervSpineNetTrainer"]
    assert rows["table_losses"] == ["CervSpineNetDiceTrainer", "CervSpineNetTrainer"]


def test_undefined_mean() -> None:
    """A metric without any value is neither zero nor best."""
    made = study(result("UNetTrainer", "U-Net"))
    table = make_tables(made, {("UNetTrainer", "original"): estimates(None, undefined=10)})[0]
    assert table.rows[0][1] == "undefined (10 u)"
    assert table.best == ()
