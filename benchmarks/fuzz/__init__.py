"""Damaged and crafted inputs for every reader: ``python -m benchmarks.fuzz``."""
