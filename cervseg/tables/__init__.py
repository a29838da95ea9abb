"""Tables of scores and comparisons, in every format."""
