"""Stored runs: the store, comparisons, the gate, the report, and the findings they share."""
