"""A session on a board: the lock, the run, its errors, and many boards at once."""
