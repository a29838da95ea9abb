"""One module per section of a report: a function from the content of a report to a section."""
