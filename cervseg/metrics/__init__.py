"""What a mask is worth: the measures of the paper, on arrays."""
