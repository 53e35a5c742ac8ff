"""Traces a network, and gives its graph the names and values that the module has."""
