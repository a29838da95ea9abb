"""The table of metrics: what is reported, in which order, and which direction is better."""

PAPER_METRICS = ("Dice", "IoU", "SSIM", "HD95", "VS")  # of the paper's tables, in their order
LOWER_IS_BETTER = (
    *("HD95", "HD95_max_directed", "HD95_missed_as_diagonal", "HD95_mm", "HD95_max_directed_mm"),
    *("MAE", "MAE_foreground", "FP", "FN"),
)
