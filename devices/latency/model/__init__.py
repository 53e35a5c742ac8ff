"""The latency model: terms, fits, intervals, calibrations."""
