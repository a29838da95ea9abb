"""Prediction: images in, masks out."""
