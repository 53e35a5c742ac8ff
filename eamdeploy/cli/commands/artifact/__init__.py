"""Commands that make and use artifacts."""
