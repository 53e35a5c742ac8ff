"""What lowering and a budget gain: one trained network as usually exported, exact, under a budget, and its static twin."""
