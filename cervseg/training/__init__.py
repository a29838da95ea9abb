"""The loop, and the trainers that plug into it."""
