"""What is measured of a quantized artifact, and how it is written down."""
