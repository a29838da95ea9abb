"""Datasets in nnU-Net v2's raw format."""
