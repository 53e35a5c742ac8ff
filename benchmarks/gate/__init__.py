"""How often the gate raises a false alarm, measured."""
