"""How long a board may take to run a command or to take a file, and how much a command may answer, where nobody says otherwise."""

from __future__ import annotations

RUN_S = 120.0
SESSION_S = 15.0  # from asking for a session to having it
OUTPUT_BYTES = 32 * 1024 * 1024
_TRANSFER_FLOOR_S, _TRANSFER_BYTES_PER_S = 60.0, 20_000.0


def transfer_s(size_bytes: int) -> float:
    """Moving a file, over the slowest link that is of use."""
    return _TRANSFER_FLOOR_S + size_bytes / _TRANSFER_BYTES_PER_S
