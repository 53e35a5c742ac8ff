"""What the runtimes share: thread affinity, quiet loading, profiles."""
