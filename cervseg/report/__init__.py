"""report.html of a model, a fold, a study, or a folder of predicted masks."""
