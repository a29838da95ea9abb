"""Tables 1 to 5 of the paper with our scores and the published ones, and the cost of the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cervseg.core.comparison import Estimate
from cervseg.core.study import Study, StudyModelResult
from cervseg.metrics.table import METRICS, PAPER_METRICS
from cervseg.study.paper import ABLATIONS, ARCHITECTURES, LOSSES, PUBLISHED, title_of
from cervseg.tables.comparisons import estimate_text
from cervseg.tables.table import Table

Scores = Mapping[tuple[str, str], Mapping[str, Estimate]]  # (trainer, variant) -> metric -> estimate

_NUMBERS = {"original": "Table 1", "clahe": "Table 2", "augmented": "Table 3"}
_NOTE = (
    "Mean over {images}, ± standard deviation of the seeds' means where there are several, [95 % bootstrap "
    "interval over images]. HD95 in px, both directed sets of distances pooled (Eq. 20). (n u): the metric "
    "is undefined in n images, which are not in its mean. Bold: best of our models. Italics: published, on "
    "other images."
)


def make_tables(study: Study, scores: Scores) -> list[Table]:
    """Make Tables 1 to 3 (one per variant), 4 (architectures), 5 (losses), and a table of costs.

    A table needs at least one system, or two trainers of an ablation.

    Args:
        study: the finished models.
        scores: (trainer, variant) -> metric -> estimate.

    Returns:
        The tables, in the paper's order.
    """
    trainers = list(dict.fromkeys(result.model.trainer for result in study.models))
    variants = list(dict.fromkeys(result.model.variant for result in study.models))
    systems = [name for name in trainers if name not in ABLATIONS]
    tables = []
    for variant in variants:
        title = (
            f"{_NUMBERS[variant]}. Systems, variant {variant}"
            if variant in _NUMBERS
            else f"Variant {variant}"
        )
        tables.append(_score_table(study, scores, f"table_systems_{variant}", title, systems, variant))
    for name, title, group in (
        ("table_architectures", "Table 4. Architectures", ARCHITECTURES),
        ("table_losses", "Table 5. Losses of CervSpineNet", LOSSES),
    ):
        members = [trainer for trainer in group if (trainer, variants[0]) in scores]
        if len(members) > 1:
            tables.append(_score_table(study, scores, name, title, members, variants[0]))
    return [*(table for table in tables if table.rows), _cost_table(study)]


def _score_table(
    study: Study, scores: Scores, name: str, title: str, trainers: Sequence[str], variant: str
) -> Table:
    rows: list[tuple[str, ...]] = []
    published: list[int] = []
    ours: dict[int, Mapping[str, Estimate]] = {}
    for trainer in trainers:
        found = scores.get((trainer, variant))
        if found is None:
            continue
        result = next(r for r in study.models if (r.model.trainer, r.model.variant) == (trainer, variant))
        ours[len(rows)] = found
        rows.append((result.title, *(estimate_text(found[metric], metric) for metric in PAPER_METRICS)))
        if paper := PUBLISHED.get(variant, {}).get(trainer):
            published.append(len(rows))
            values = (METRICS[metric].text(paper[metric]) for metric in PAPER_METRICS)
            rows.append((f"{title_of(trainer)}, published", *values))
    best = []
    for column, metric in enumerate(PAPER_METRICS, start=1):
        means = {row: found[metric].mean for row, found in ours.items()}
        defined = {row: mean for row, mean in means.items() if mean is not None}
        if len(defined) > 1:
            choose = min if METRICS[metric].lower_is_better else max
            best.append((choose(defined, key=lambda row: defined[row]), column))
    return Table(
        name=name,
        title=title,
        note=_note(study),
        columns=("Model", *PAPER_METRICS),
        rows=tuple(rows),
        best=tuple(best),
        published=tuple(published),
    )


def _note(study: Study) -> str:
    images = "the held-out test images" if study.scored_on == "test" else "the validation images of the folds"
    note = _NOTE.format(images=images)
    if oracles := sorted({result.title for result in study.models if result.oracle_points}):
        note += f" {', '.join(oracles)}: given a point in every structure of the reference."
    return " ".join([note, *study.notes])


def _cost_table(study: Study) -> Table:
    rows = tuple(_cost(result) for result in study.models)
    return Table(
        name="table_cost",
        title="Cost of the models",
        note="Size in float32. Seconds per image: from its file to its mask's file, network loading "
        "excluded. The paper: CervSpineNet 345 MB, 5-8 s per image on an H100, 9-10 s on 24 CPU cores.",
        columns=("Model", "Variant", "Seed", "Parameters", "MiB", "Training (min)", "s per image", "Device"),
        rows=rows,
    )


def _cost(result: StudyModelResult) -> tuple[str, ...]:
    return (
        result.title,
        result.model.variant,
        str(result.model.seed),
        f"{result.num_parameters:,}",
        f"{result.num_parameters * 4 / 2**20:.1f}",
        f"{result.train_s / 60:.1f}",
        "not measured" if result.image_s is None else f"{result.image_s:.2f}",
        result.device,
    )
