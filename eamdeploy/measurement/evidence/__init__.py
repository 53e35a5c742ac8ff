"""Evidence of a measurement: statistics, conditions, the verdict and the self-check."""
