"""What all exporters share: the request and its answer, the registry, reference values, quiet conversion."""
