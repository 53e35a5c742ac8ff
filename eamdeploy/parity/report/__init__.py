"""The result of a verification: figures, tolerances, checks and the rules they can break."""
