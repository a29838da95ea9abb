"""What a mask is worth: the metrics of the paper, on arrays."""
