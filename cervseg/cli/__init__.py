"""One file a command: parse, call the pipeline, print."""
