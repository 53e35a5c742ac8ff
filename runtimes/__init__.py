"""From an artifact to its outputs: one interface to every runtime, free of torch."""
