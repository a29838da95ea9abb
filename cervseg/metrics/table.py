"""The table of metrics. Everything that differs from metric to metric is here, and only here.

To add a metric, add one entry to ``METRICS``: evaluation, summaries, tables, comparisons, studies, reports
and help texts read it. Modules that a metric imports must load OpenCV and SciPy inside their functions, so
that ``--help`` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cervseg.metrics.hausdorff import hd95, hd95_max_directed, hd95_missed_as_diagonal
from cervseg.metrics.label_case import LabelCase
from cervseg.metrics.similarity import mean_absolute_error, mean_absolute_error_foreground, ssim
from cervseg.metrics.surface_dice import TOLERANCE_MM, TOLERANCE_PX, surface_dice

_OUTLINES = (
    "outlines are the mask's pixels with one of their four neighbors outside the mask (mask minus its "
    "3 x 3 cross erosion; beyond the image counts as outside)"
)
_POOLED = "95th percentile (linear interpolation) of both directed sets of outline distances pooled"
_DIRECTED = "larger of the two directed sets' 95th percentiles (linear interpolation), as MONAI computes it"
_NOT_EMPTY = "undefined where either mask is empty"
_BOTH_EMPTY = "undefined where prediction and reference are both empty"
_PIXEL_SIZE = (
    "pixel size from dataset.json or else from the image's own header, listed as spacing_mm with each case"
)
_IN_MM = f"{_PIXEL_SIZE}; undefined where either mask is empty or the pixel size is unknown"

_NEAR = "share of the outline pixels of both masks, outlines as for HD95, that are at most"
_OTHER = "from the other mask's outline"
_ONE_EMPTY = "0 where only one mask is empty"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that compares a predicted mask with its reference, for one label of one case.

    Args:
        name: key in summaries and heading in tables.
        definition: one plain sentence with its equation or convention, and where the metric is undefined.
        function: returns the value; None where the metric is undefined.
        unit: "", "px" or "mm".
        decimals: in every table.
        lower_is_better: None where neither direction is better; such a metric cannot be compared.
        paper_column: position in the paper's tables; None where the metric is not in them.
        is_compared: whether studies, and comparisons by default, test it. The paper's metrics are.
        is_shown: whether tables of scores show it. All metrics are in summary.json.
        needs_probability: computed only where probabilities were saved.
        needs_spacing: computed only where the pixel size is known.
    """

    name: str
    definition: str
    function: Callable[[LabelCase], float | None]
    unit: str = ""
    decimals: int = 4
    lower_is_better: bool | None = False
    paper_column: int | None = None
    is_compared: bool = False
    is_shown: bool = True
    needs_probability: bool = False
    needs_spacing: bool = False

    @property
    def title(self) -> str:
        """Name and unit: "HD95 (px)"; the name alone where it ends with the unit, as "HD95_mm"."""
        has_unit = not self.unit or self.name.endswith(f"_{self.unit}")
        return self.name if has_unit else f"{self.name} ({self.unit})"

    def text(self, value: float | None) -> str:
        """The value with the metric's decimals; "undefined" for None."""
        return "undefined" if value is None else f"{value:.{self.decimals}f}"

    def applies_to(self, case: LabelCase) -> bool:
        """Whether the case has the inputs that the metric needs."""
        has_probability = case.probability is not None or not self.needs_probability
        return has_probability and (case.spacing_mm is not None or not self.needs_spacing)


_METRICS = (
    Metric(
        name="Dice",
        definition=f"2 TP / (2 TP + FP + FN), Eq. 15; {_BOTH_EMPTY}.",
        function=lambda case: case.confusion.dice,
        paper_column=1,
        is_compared=True,
    ),
    Metric(
        name="IoU",
        definition=f"TP / (TP + FP + FN), Eq. 16; {_BOTH_EMPTY}.",
        function=lambda case: case.confusion.iou,
        paper_column=2,
        is_compared=True,
    ),
    Metric(
        name="VS",
        definition=f"Volume similarity, 1 - |n_pred - n_ref| / (n_pred + n_ref), Eq. 17; {_BOTH_EMPTY}.",
        function=lambda case: case.confusion.volume_similarity,
        paper_column=5,
        is_compared=True,
    ),
    Metric(
        name="SSIM",
        definition="Mean structural similarity of the masks, 11 x 11 Gaussian window, sigma 1.5 px, Eq. 18.",
        function=lambda case: ssim(case.prediction, case.reference),
        paper_column=3,
        is_compared=True,
    ),
    Metric(
        name="HD95",
        definition=f"{_POOLED}, Eq. 19-20, in px; {_OUTLINES}; {_NOT_EMPTY}.",
        function=lambda case: hd95(case.distances_px),
        unit="px",
        decimals=2,
        lower_is_better=True,
        paper_column=4,
        is_compared=True,
    ),
    Metric(
        name="HD95_max_directed",
        definition=f"{_DIRECTED}, in px; outlines as for HD95; {_NOT_EMPTY}.",
        function=lambda case: hd95_max_directed(case.distances_px),
        unit="px",
        decimals=2,
        lower_is_better=True,
    ),
    Metric(
        name="HD95_missed_as_diagonal",
        definition=(
            "HD95 in px, but the length of the image's diagonal where only one of prediction and reference "
            "is empty, so that missing or inventing a structure never improves the mean; undefined where "
            "both are empty."
        ),
        function=hd95_missed_as_diagonal,
        unit="px",
        decimals=2,
        lower_is_better=True,
        is_compared=True,
    ),
    Metric(
        name="HD95_mm",
        definition=f"{_POOLED}, Eq. 19-20, in mm; {_IN_MM}.",
        function=lambda case: hd95(case.distances_mm),
        unit="mm",
        decimals=2,
        lower_is_better=True,
        needs_spacing=True,
    ),
    Metric(
        name="HD95_max_directed_mm",
        definition=f"{_DIRECTED}, in mm; {_IN_MM}.",
        function=lambda case: hd95_max_directed(case.distances_mm),
        unit="mm",
        decimals=2,
        lower_is_better=True,
        needs_spacing=True,
    ),
    Metric(
        name="NSD",
        definition=(
            f"Surface Dice: {_NEAR} {TOLERANCE_PX:g} px {_OTHER} (Nikolov et al. 2018); {_ONE_EMPTY}; "
            f"{_BOTH_EMPTY}."
        ),
        function=lambda case: surface_dice(case, case.distances_px, tolerance=TOLERANCE_PX),
        is_compared=True,
    ),
    Metric(
        name="NSD_mm",
        definition=(
            f"Surface Dice: {_NEAR} {TOLERANCE_MM:g} mm {_OTHER} (Nikolov et al. 2018), {_PIXEL_SIZE}; "
            f"{_ONE_EMPTY}; {_BOTH_EMPTY} or the pixel size is unknown."
        ),
        function=lambda case: surface_dice(case, case.distances_mm, tolerance=TOLERANCE_MM),
        needs_spacing=True,
    ),
    Metric(
        name="TP",
        definition="Pixels of the label in prediction and reference.",
        function=lambda case: case.confusion.num_tp,
        unit="px",
        decimals=1,
        lower_is_better=None,
        is_shown=False,
    ),
    Metric(
        name="FP",
        definition="Pixels of the label in the prediction only.",
        function=lambda case: case.confusion.num_fp,
        unit="px",
        decimals=1,
        lower_is_better=True,
        is_shown=False,
    ),
    Metric(
        name="FN",
        definition="Pixels of the label in the reference only.",
        function=lambda case: case.confusion.num_fn,
        unit="px",
        decimals=1,
        lower_is_better=True,
        is_shown=False,
    ),
    Metric(
        name="TN",
        definition="Pixels of the label in neither.",
        function=lambda case: case.confusion.num_tn,
        unit="px",
        decimals=1,
        lower_is_better=None,
        is_shown=False,
    ),
    Metric(
        name="n_pred",
        definition="Pixels of the label in the prediction.",
        function=lambda case: case.confusion.num_prediction,
        unit="px",
        decimals=1,
        lower_is_better=None,
        is_shown=False,
    ),
    Metric(
        name="n_ref",
        definition="Pixels of the label in the reference.",
        function=lambda case: case.confusion.num_reference,
        unit="px",
        decimals=1,
        lower_is_better=None,
        is_shown=False,
    ),
    Metric(
        name="MAE",
        definition="Mean |probability - reference| over the whole image.",
        function=lambda case: mean_absolute_error(case.known_probability, case.reference),
        lower_is_better=True,
        needs_probability=True,
    ),
    Metric(
        name="MAE_foreground",
        definition="Mean |probability - reference| inside the reference; undefined where it is empty.",
        function=lambda case: mean_absolute_error_foreground(case.known_probability, case.reference),
        lower_is_better=True,
        needs_probability=True,
    ),
)

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _METRICS}  # in display order
_PAPER = {metric.paper_column: metric.name for metric in _METRICS if metric.paper_column is not None}
PAPER_METRICS = tuple(name for _, name in sorted(_PAPER.items()))
COMPARED_METRICS = tuple(dict.fromkeys((*PAPER_METRICS, *(m.name for m in _METRICS if m.is_compared))))
SHOWN_METRICS = tuple(metric.name for metric in _METRICS if metric.is_shown)
COMPARABLE_METRICS = tuple(metric.name for metric in _METRICS if metric.lower_is_better is not None)


def listed(names: Iterable[str]) -> str:
    """Names as a sentence has them: "Dice, IoU and HD95"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
