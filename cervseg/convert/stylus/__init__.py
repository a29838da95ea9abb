"""Masks from outlines that were traced in red."""
