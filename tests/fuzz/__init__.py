"""Damaged inputs for every reader, a few of each kind; ``python -m benchmarks.fuzz`` makes thousands."""
