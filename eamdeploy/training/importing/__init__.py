"""Foreign weights: a static MobileNet's, as they are or as the start of a dynamic network."""
