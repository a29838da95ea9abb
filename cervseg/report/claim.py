"""A draft of the CLAIM 2024 checklist (Tejani et al., Radiology: Artificial Intelligence 2024, 44 items).

Headings are paraphrased. cervseg fills in what it knows; the authors write the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from cervseg.core.types import Hyperparameters, Plan
from cervseg.metrics.table import SHOWN_METRICS, listed

OPEN = "to be written by the authors"
ITEMS: Mapping[int, str] = {
    1: "Title or abstract: a study of AI, and which kind of it",
    2: "Abstract: a structured summary",
    3: "Background, and what the AI is meant for",
    4: "Aims and hypotheses",
    5: "Prospective or retrospective",
    6: "Goal of the study",
    7: "Sources of the data",
    8: "Who was included and excluded",
    9: "Preprocessing",
    10: "Selection of parts of the data",
    11: "De-identification",
    12: "Missing data",
    13: "How the images were acquired",
    14: "What the reference standard is",
    15: "Why this reference standard",
    16: "Who annotated, and with which experience",
    17: "How the test set was annotated",
    18: "Agreement of raters",
    19: "How cases were assigned to training, validation and test",
    20: "At which level the parts are disjoint",
    21: "Size of the test set, and why",
    22: "The model in detail",
    23: "Software",
    24: "First weights",
    25: "Training in detail",
    26: "How the final model was chosen",
    27: "Ensembles",
    28: "Metrics of performance",
    29: "Statistics: significance and uncertainty",
    30: "Robustness and sensitivity",
    31: "Explanations",
    32: "Evaluation on internal data",
    33: "Evaluation on external data",
    34: "Registration",
    35: "Numbers of patients and images, flow of inclusion",
    36: "Demographic and clinical characteristics",
    37: "Performance on all parts of the data",
    38: "Estimates with their precision",
    39: "Failures",
    40: "Limitations",
    41: "Consequences for practice",
    42: "Where the protocol is",
    43: "Availability of software, model and data",
    44: "Funding",
}


def claim_rows(known: Mapping[int, str]) -> list[tuple[str, str, str]]:
    """Return (number, item, known text) for all 44 items.

    Args:
        known: number -> text.
    """
    return [(str(number), heading, known.get(number, OPEN)) for number, heading in ITEMS.items()]


def known_of_plan(plan: Plan) -> dict[int, str]:
    """Return the items that follow from a plan: data, preprocessing, partitions.

    Args:
        plan: the plan.
    """
    dataset = plan.dataset
    groups = len(set(dataset.groups.values()))
    level = (
        f"{groups} groups (patients), never split over folds"
        if groups
        else "each image is its own group: check whether patients have several images"
    )
    labels = ", ".join(dataset.foreground)
    return {
        9: f"long side at most {plan.cache_long_side_px} px; planned variants: {', '.join(plan.variants)}; "
        "every decision with its reason in plans.json",
        14: f"masks of {labels}; {plan.fingerprint.num_empty_masks} empty; {OPEN}",
        19: "folds as in splits_final.json; by default up to 5 at random over sorted ids (seed 12345), as in "
        "nnU-Net; test images are separate",
        20: level,
    }


def known_of_training(
    trainer: str,
    *,
    network: str,
    loss: str,
    hyperparameters: Hyperparameters,
    epochs: Mapping[str, str],
    has_validation: bool,
) -> dict[int, str]:
    """Return the items that follow from a trained model.

    Args:
        trainer: its name.
        network: arguments of the network.
        loss: name of the loss.
        hyperparameters: as planned; their number of epochs is not stated as done.
        epochs: fold -> epochs that were run ("13 of 100 epochs, stopped by the time limit").
        has_validation: whether validation images chose the checkpoint.
    """
    settings = ", ".join(
        f"{name} {value}"
        for name, value in asdict(hyperparameters).items()
        if name != "epochs" and value not in (0, 0.0, False, -1)
    )
    run = "; ".join(f"{fold}: {text}" for fold, text in epochs.items())
    known = {
        22: f"{trainer}: {network}",
        25: f"loss {loss}; {settings}; {run}; AdamW with warm-up and cosine decay, unless the trainer "
        "replaces them",
    }
    if has_validation:
        known[26] = "best Dice on the validation images of the fold, in the network's frame; no test images"
    return known


KNOWN_OF_SCORES = {
    12: "cases that could not be read or predicted are listed; undefined values are null and counted",
    28: f"{listed(SHOWN_METRICS)}, at the images' own size; definitions in summary.json",
}
