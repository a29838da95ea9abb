"""Trainers: science only."""
