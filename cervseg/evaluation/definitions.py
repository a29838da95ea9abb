"""What every metric in a summary means, in one plain sentence each; summaries carry these sentences."""

from __future__ import annotations

THRESHOLD = 0.5
NOTICE = "Research software, not a medical device."

_OUTLINES = (
    "outlines are the mask's pixels with one of their four neighbours outside of the mask (mask minus its "
    "3 x 3 cross erosion; beyond the image counts as outside)"
)
_POOLED = "95th percentile (linear interpolation) of both directed sets of outline distances pooled"
_DIRECTED = "larger of the two directed sets' 95th percentiles (linear interpolation), as MONAI computes it"
_NOT_EMPTY = "undefined where either mask is empty"
_NO_SPACING = (
    "pixel size from dataset.json or else from the image's own header, listed as spacing_mm with each case; "
    "undefined where either mask is empty or the pixel size is not known"
)

DEFINITIONS: dict[str, str] = {
    "Dice": "2 TP / (2 TP + FP + FN), Eq. 15; undefined where prediction and reference are both empty.",
    "IoU": "TP / (TP + FP + FN), Eq. 16; undefined where prediction and reference are both empty.",
    "VS": "Volume similarity, 1 - |n_pred - n_ref| / (n_pred + n_ref), Eq. 17; undefined as Dice is.",
    "SSIM": "Mean structural similarity of the binary masks, 11 x 11 Gaussian window, sigma 1.5, Eq. 18.",
    "HD95": f"{_POOLED}, Eq. 19-20, in px; {_OUTLINES}; {_NOT_EMPTY}.",
    "HD95_max_directed": f"{_DIRECTED}, in px; outlines as for HD95; {_NOT_EMPTY}.",
    "HD95_missed_as_diagonal": (
        "HD95 in px, but the length of the image's diagonal where only one of prediction and reference is "
        "empty, so that missing or inventing a structure never improves the mean; undefined where both are."
    ),
    "HD95_mm": f"{_POOLED}, Eq. 19-20, in mm; {_NO_SPACING}.",
    "HD95_max_directed_mm": f"{_DIRECTED}, in mm; {_NO_SPACING}.",
    "MAE": "Mean |probability - reference| over the whole image.",
    "MAE_foreground": "Mean |probability - reference| inside of the reference; undefined where it is empty.",
    "TP": "Pixels of the label in prediction and reference.",
    "FP": "Pixels of the label in the prediction only.",
    "FN": "Pixels of the label in the reference only.",
    "TN": "Pixels of the label in neither.",
    "n_pred": "Pixels of the label in the prediction.",
    "n_ref": "Pixels of the label in the reference.",
    "mean": "Mean over the cases in which the metric is defined; the others are counted under undefined.",
    "std": "Sample standard deviation (n - 1) over the cases in which the metric is defined.",
    "foreground_mean": "Mean over the labels of their means.",
    "missed": "Cases whose reference has the label and whose prediction does not.",
    "invented": "Cases whose prediction has the label and whose reference does not.",
}
