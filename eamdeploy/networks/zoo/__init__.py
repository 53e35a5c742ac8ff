"""The checkpoints that come with the package, and what is known of each."""
