"""docs/latency-model.md, written from the trials."""
