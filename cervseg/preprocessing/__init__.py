"""Preprocessing: images for the cache and for the network."""
