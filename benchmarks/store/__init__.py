"""The store of runs at a size that years make."""
