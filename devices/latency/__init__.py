"""Latency without the board: operators read from an artifact, costs fitted to measurements, tested intervals."""
