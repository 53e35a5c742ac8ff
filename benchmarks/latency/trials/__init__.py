"""The model on what it was not fitted to."""
