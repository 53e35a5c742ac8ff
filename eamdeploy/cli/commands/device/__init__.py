"""Commands that work on boards and measure on them."""
