"""Fits the latency model to the user's own measurements."""
