"""What was measured: published rows, the networks' operators, counted instructions."""
