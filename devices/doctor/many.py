"""Examines many places at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from devices.boards.profiles import profile_names
from devices.boards.registry import BoardRegistry
from devices.doctor import Examination, examine
from devices.session.fanout import BoardOutcome, BoardProgress, run_on_boards
from devices.session.opening import open_board, open_emulated, open_host
from devices.transports.protocol import Transport
from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import SILENT, Progress

HOST = "host"


def open_place(name: str, registry: BoardRegistry, progress: Progress) -> Transport:
    """A board of the user's, this machine, or the emulated board of a profile, in this order.

    Raises:
        UsageError: nothing is called so.
    """
    if any(board.name == name for board in registry.boards()):
        return open_board(registry.get(name), progress=progress)
    if name == HOST:
        return open_host()
    if name in profile_names():
        progress.stage(f"no board of yours is called {name}: looking at the emulated board")
        return open_emulated(name, progress=progress)
    return open_board(registry.get(name))  # says which there are


def check_places(
    names: Sequence[str], *, every: bool = False, progress: Progress = SILENT
) -> list[BoardOutcome[Examination]]:
    """Examine each of ``names``, or all of the user's boards, at once.

    Raises:
        UsageError: a name is unknown, or there is nothing to look at.
    """
    registry = BoardRegistry()
    places = list(dict.fromkeys([*names, *(board.name for board in registry.boards() if every)]))
    if not places:
        hint = "name a board, a profile, or 'host'; add a board with: eamdeploy devices add"
        raise UsageError("there is nothing to look at", where=registry.path, hint=hint)

    def look(now: BoardProgress) -> None:
        if now.state == "connecting":
            progress.stage("looking", of=now.board)

    transports = [open_place(name, registry, progress) for name in places]
    return asyncio.run(run_on_boards(transports, examine, what="check", lock=False, on_change=look))
