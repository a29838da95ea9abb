"""Synthetic lateral cervical radiographs ("phantoms") with exact masks, for tests, demos and truth in mm."""
