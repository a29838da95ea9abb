"""Metrics that compare a predicted mask with its reference, on arrays; see ``table.py``."""
