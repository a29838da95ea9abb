"""Evaluation: scores, summaries, comparison of systems, statistics, agreement of raters."""
