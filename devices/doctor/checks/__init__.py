"""Each check looks at one thing and returns what it found; a check that has nothing to look at returns nothing."""
