"""Recordings of the command line: text at several widths for reading, and the SVG of the README."""
