"""What every package may use: errors, files written atomically, result types."""
