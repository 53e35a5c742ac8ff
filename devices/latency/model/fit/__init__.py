"""Fits the model to measurements: least squares, what they leave over, and conformal intervals."""
