"""The folds of one model: train, predict and score their images, summarize; a join like pipeline.py."""
