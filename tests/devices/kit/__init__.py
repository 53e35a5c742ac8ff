"""Boards that misbehave: a real sshd with a user whose shell and files do as asked, and trees like /proc and /sys."""
