"""From a checkpoint to an artifact: lowerings, planner, exporters, simplification, quantization, manifest."""
