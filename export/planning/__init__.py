"""Chooses a lowering for each layer: plan, rules, measured costs, and applying the plan."""
