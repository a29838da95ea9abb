"""report.html of a model, a fold, a study or a prediction run: gathered here, laid out by reporting."""
