"""Readers of artifact files that a board can run: standard library and numpy only."""
