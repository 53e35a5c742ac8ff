"""Compares what an artifact computed with what the network computed."""
