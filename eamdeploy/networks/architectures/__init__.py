"""The networks: MobileNetV1, V2 and V3, built from a specification."""
