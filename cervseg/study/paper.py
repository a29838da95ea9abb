"""The paper's trainers, their titles, and the published scores (Tables 1 to 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cervseg.core.errors import PluginError
from cervseg.core.registry import TRAINERS, find
from cervseg.metrics.table import PAPER_METRICS

SYSTEMS = (
    "SAMTrainer",
    "UNetTrainer",
    "TextSegFormerTrainer",
    "DeepLabV3PlusTrainer",
    "CervSpineNetTrainer",
)
ARCHITECTURES = ("PureCNNBasicTrainer", "PureCNNFullTrainer", "ViTBasicTrainer", "CervSpineNetTrainer")
LOSSES = (
    "CervSpineNetDiceTrainer",
    "CervSpineNetDiceFTTrainer",
    "CervSpineNetDiceSSIMTrainer",
    "CervSpineNetDiceFTSSIMTrainer",
    "CervSpineNetTrainer",
)
ABLATIONS = frozenset((*ARCHITECTURES, *LOSSES)) - {"CervSpineNetTrainer"}
GROUPS: Mapping[str, Sequence[str]] = {
    "systems": SYSTEMS,
    "architectures": ARCHITECTURES,
    "losses": LOSSES,
    "paper": tuple(dict.fromkeys((*SYSTEMS, *ARCHITECTURES, *LOSSES))),
}
TITLES: Mapping[str, str] = {
    "SAMTrainer": "SAM",
    "UNetTrainer": "U-Net",
    "TextSegFormerTrainer": "Text-guided SegFormer",
    "DeepLabV3PlusTrainer": "DeepLabV3+",
    "CervSpineNetTrainer": "CervSpineNet",
    "PureCNNBasicTrainer": "Pure CNN + basic decoder",
    "PureCNNFullTrainer": "Pure CNN + full decoder",
    "ViTBasicTrainer": "ViT-B encoder + basic decoder",
    "CervSpineNetDiceTrainer": "Dice",
    "CervSpineNetDiceFTTrainer": "Dice + FT",
    "CervSpineNetDiceSSIMTrainer": "Dice + SSIM",
    "CervSpineNetDiceFTSSIMTrainer": "Dice + FT + SSIM",
}


def _row(*values: float) -> dict[str, float]:
    return dict(zip(PAPER_METRICS, values, strict=True))


# Means over the paper's 100 test images: variant -> trainer -> metric -> value.
PUBLISHED: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "original": {
        "SAMTrainer": _row(0.8553, 0.7532, 0.9752, 25.744, 0.9132),
        "UNetTrainer": _row(0.9013, 0.8226, 0.969, 3.1296, 0.9726),
        "TextSegFormerTrainer": _row(0.9266, 0.8641, 0.9778, 4.2251, 0.9819),
        "DeepLabV3PlusTrainer": _row(0.9287, 0.8676, 0.9781, 4.0418, 0.9831),
        "CervSpineNetTrainer": _row(0.9315, 0.8726, 0.9831, 3.3549, 0.9818),
        "PureCNNBasicTrainer": _row(0.8516, 0.7616, 0.9828, 33.9749, 0.9222),
        "PureCNNFullTrainer": _row(0.8852, 0.8021, 0.9849, 20.175, 0.9534),
        "ViTBasicTrainer": _row(0.9307, 0.8713, 0.9886, 8.8335, 0.9804),
        "CervSpineNetDiceTrainer": _row(0.9153, 0.8457, 0.9815, 5.8591, 0.9694),
        "CervSpineNetDiceFTTrainer": _row(0.9288, 0.868, 0.9826, 3.9504, 0.9743),
        "CervSpineNetDiceSSIMTrainer": _row(0.931, 0.8719, 0.9832, 3.8787, 0.9812),
        "CervSpineNetDiceFTSSIMTrainer": _row(0.9286, 0.868, 0.9829, 5.0694, 0.979),
    },
    "clahe": {
        "SAMTrainer": _row(0.8246, 0.7103, 0.9733, 27.555, 0.8929),
        "UNetTrainer": _row(0.9033, 0.8268, 0.9707, 3.4191, 0.9598),
        "TextSegFormerTrainer": _row(0.9250, 0.8614, 0.9776, 4.2898, 0.9778),
        "DeepLabV3PlusTrainer": _row(0.9260, 0.8631, 0.9778, 4.7765, 0.9806),
        "CervSpineNetTrainer": _row(0.9313, 0.8722, 0.9829, 2.6561, 0.9777),
    },
    "augmented": {
        "SAMTrainer": _row(0.7955, 0.6698, 0.9722, 28.8584, 0.8435),
        "UNetTrainer": _row(0.9099, 0.8367, 0.9712, 3.0973, 0.9721),
        "TextSegFormerTrainer": _row(0.9289, 0.8679, 0.9781, 4.0540, 0.9820),
        "DeepLabV3PlusTrainer": _row(0.9303, 0.8704, 0.9784, 3.7779, 0.9838),
        "CervSpineNetTrainer": _row(0.9326, 0.8744, 0.9832, 2.3806, 0.9833),
    },
}


def title_of(trainer: str, *, oracle_points: bool = False) -> str:
    """Return the name of a trainer in tables and figures.

    Args:
        trainer: name of the trainer.
        oracle_points: whether its points come from the reference masks; the title then tells so.
    """
    title = TITLES.get(trainer, trainer.removesuffix("Trainer"))
    return f"{title} (oracle points)" if oracle_points else title


def trainers_of(asked: Sequence[str]) -> tuple[str, ...]:
    """Replace groups by their trainers.

    Args:
        asked: names of trainers and of ``GROUPS``.

    Returns:
        Trainers in the given order, each once.

    Raises:
        PluginError: a name is neither a group nor a trainer.
    """
    found: dict[str, None] = {}
    for name in asked:
        try:
            found |= dict.fromkeys(GROUPS[name] if name in GROUPS else [find(TRAINERS, name).name])
        except PluginError as problem:
            groups = ", ".join(GROUPS)
            raise PluginError(
                problem.what, where=problem.where, hint=f"{problem.hint}; groups: {groups}"
            ) from None
    return tuple(found)
