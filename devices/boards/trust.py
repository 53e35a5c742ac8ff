"""Pins a board's host key."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from devices.boards.registry import Board
from eamdeploy.base.errors import UsageError


def pinned(board: Board, fingerprint: str) -> Board:
    """The board with the host key of this fingerprint, fetched from the board, as the only one to accept.

    Raises:
        BoardUnreachable: it does not answer or shows another key.
        UsageError: it is no fingerprint, or the board is emulated and has its key pinned already.
    """
    from devices.transports.ssh.host_key import fetch_host_key

    if board.emulated:
        raise UsageError("an emulated board's key is always pinned", where=board.name)
    key = asyncio.run(fetch_host_key(board.target, fingerprint, name=board.name))
    return replace(board, host_key=key)
