"""The folds of one model: train, predict and score their films, summarize; a join like pipeline.py."""
