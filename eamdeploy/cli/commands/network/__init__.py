"""Commands that work on networks and checkpoints."""
