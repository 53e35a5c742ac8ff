"""Training of the networks: recipes, data, the loop, resumable state."""
