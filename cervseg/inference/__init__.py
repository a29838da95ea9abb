"""Films in, masks out."""
