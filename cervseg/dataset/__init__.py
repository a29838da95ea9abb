"""The standardized dataset folder."""
