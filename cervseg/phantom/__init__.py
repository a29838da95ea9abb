"""Synthetic lateral cervical radiographs ("phantoms") with exact masks and landmarks."""
