"""The paper's study on any dataset: many runs of the pipeline, then tables, statistics and figures."""
