"""Images into network frames and into the cache."""
