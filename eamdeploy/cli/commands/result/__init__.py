"""Commands that work on stored runs."""
