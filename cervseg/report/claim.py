"""A draft of the CLAIM 2024 checklist (Tejani et al., Radiology: Artificial Intelligence 2024, 44 items).

Headings are paraphrased; what cervseg knows is filled in, the rest is the authors' to write.
"""

from __future__ import annotations

from collections.abc import Mapping

from cervseg.core.types import Plan
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
    """(number, item, what is known) of all 44 items."""
    return [(str(number), heading, known.get(number, OPEN)) for number, heading in ITEMS.items()]


def known_of_plan(plan: Plan) -> dict[int, str]:
    """What a plan tells: data, preprocessing, partitions."""
    dataset = plan.dataset
    groups = len(set(dataset.groups.values())) if dataset.groups else 0
    level = (
        f"{groups} groups (patients), never split" if groups else "each image its own group: check patients"
    )
    labels = ", ".join(dataset.foreground)
    return {
        9: f"cached at a long side of at most {plan.cache_long_side_px} px; variants "
        f"{', '.join(plan.variants)}; every decision with its reason in plans.json",
        14: f"masks of {labels}; {plan.fingerprint.num_empty_masks} empty; {OPEN}",
        19: "up to 5 folds at random over sorted ids (seed 12345), as nnU-Net's; test images apart",
        20: level,
    }


def known_of_training(trainer: str, network: str, loss: str, hyper: Mapping[str, object]) -> dict[int, str]:
    """What a model tells: network, loss, training, choice of the checkpoint."""
    settings = ", ".join(
        f"{name} {value}" for name, value in hyper.items() if value not in (0, 0.0, False, -1)
    )
    return {
        22: f"{trainer}: {network}",
        25: f"AdamW, warm-up and cosine; loss {loss}; {settings}",
        26: "best Dice on the fold's validation images, in the network's frame; test images are not used",
    }


KNOWN_OF_SCORES = {
    12: "a case that could not be read or predicted is named; an undefined value is null and counted",
    28: f"{listed(SHOWN_METRICS)}, at the images' own size; definitions in summary.json",
}
