"""Tables of scores and comparisons: as text for a terminal, Markdown, LaTeX, CSV and JSON."""
