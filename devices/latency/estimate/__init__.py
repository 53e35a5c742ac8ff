"""Estimates latency without the board from the nearest calibration."""
