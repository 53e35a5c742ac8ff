"""Reads an artifact's operators and turns them into cost records."""
