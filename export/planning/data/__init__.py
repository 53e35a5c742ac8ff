"""The planner's rules and the measurements behind them, as JSON."""
