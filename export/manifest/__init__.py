"""The manifest beside an artifact, and the metadata inside it."""
