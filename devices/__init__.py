"""Boards: profiles, transports, sensors, the on-board runner, the latency model."""
