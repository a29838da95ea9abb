"""Figures, drawn by matplotlib, and overlays, drawn by OpenCV."""
