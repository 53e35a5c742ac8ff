"""Builds the disk image of an emulated board."""
