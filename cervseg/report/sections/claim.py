"""A draft of the CLAIM 2024 checklist."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cervseg.report.blocks import Folded, Paragraph, Section, text_table
from cervseg.report.claim import KNOWN_OF_SCORES, claim_rows, known_of_plan, known_of_training
from cervseg.report.content import ModelContent, StudyContent
from cervseg.report.sections.study_tests import is_test
from cervseg.report.sections.training import epochs_text


def model_claim_section(content: ModelContent) -> Section:
    """Fill in the checklist for a model."""
    configuration, summary = content.configuration, content.summary
    epochs = {fold.name: epochs_text(fold, configuration.hyperparameters.epochs) for fold in content.folds}
    known = known_of_plan(content.plan) | known_of_training(
        content.trainer,
        network=json.dumps(configuration.network),
        loss=configuration.loss,
        hyperparameters=configuration.hyperparameters,
        epochs=epochs,
        has_validation=any(fold.fold != "all" for fold in content.folds),
    )
    if summary is not None:
        scored = [fold for fold in content.folds if fold.summary.is_file()]
        known |= KNOWN_OF_SCORES | {
            32: f"validation images of {len(scored)} fold(s), {len(summary.scores)} cases; these "
            "images chose the checkpoint"
        }
    return _section(known)


def study_claim_section(content: StudyContent) -> Section:
    """Fill in the checklist for a study."""
    study = content.study
    known: dict[int, str] = dict(KNOWN_OF_SCORES)
    if content.plan is not None:
        known |= known_of_plan(content.plan)
    if any(is_test(table) for table in content.tables):
        known[29] = (
            "95 % bootstrap intervals over images; Friedman's test; Wilcoxon's tests of all pairs, corrected "
            "by Bonferroni and Holm, with effect sizes"
        )
    images = "held-out test images" if study.scored_on == "test" else "the validation images of the folds"
    known[32] = f"{len(study.models)} models on {images}"
    return _section(known)


def _section(known: Mapping[int, str]) -> Section:
    rows = claim_rows(known)
    note = "A draft: cervseg fills in what it knows, the authors write the rest. The items are paraphrased."
    table = text_table(("item", "topic", "known"), rows)
    folded = Folded(summary=f"{len(rows)} items", blocks=(table,))
    return Section(heading="CLAIM 2024 checklist", blocks=(Paragraph(text=note), folded))
