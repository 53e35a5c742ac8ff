"""Measures accuracy on a device."""
