"""Where to measure: this machine, the user's boards, or an emulated one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from devices.boards.profiles import load_profile
from devices.boards.registry import Board, BoardRegistry
from devices.session.opening import board_called, choose_boards, open_board, open_emulated, open_host
from devices.transports.protocol import Transport
from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import Progress

HOST = "host"


@dataclass(frozen=True)
class BenchTarget:
    """One place to measure at.

    Attributes:
        name: for messages; a board's name, or the device's.
        device: profile.
        board: the registered board's name, or None.
        kind: ``measured`` on a real machine; ``emulated``: outputs only, its time means nothing; ``estimated``: nothing
            runs anywhere.
        open: makes the transport; its argument receives what is being done. None where nothing runs.
        instructions: whether the machine counts instructions in place of time.
    """

    name: str
    device: str
    board: str | None
    kind: Literal["measured", "emulated", "estimated"]
    open: Callable[[Progress], Transport] | None
    instructions: bool = False

    @property
    def shared(self) -> bool:
        """Whether others may work on it too, so that it must be locked; this machine's user knows what runs on it."""
        return self.board is not None and self.kind == "measured"


def choose_targets(
    device: str | None,
    *,
    boards: Sequence[str] = (),
    every: bool = False,
    instructions: bool = False,
    estimate: bool = False,
    registry: BoardRegistry | None = None,
) -> list[BenchTarget]:
    """From ``--device``, ``--board`` and ``--all`` to places.

    The device is a profile or the name of a board. A board of the profile is used when there is one; without one the
    profile's emulated board. No profile and no board mean this machine. With ``estimate`` the same choice is made, and
    none of them is contacted.

    Raises:
        UsageError: unknown names, or a choice that cannot be made.
        MissingDependency: the profile cannot be emulated.
    """
    known_boards = registry or BoardRegistry()
    if (called := board_called(known_boards, device)) is not None:
        device, boards = None, (called.name, *boards)
    if device is not None:
        load_profile(device)
    if instructions and estimate:
        raise UsageError("an estimate counts no instructions", hint="leave out `estimate` or `instructions`")
    if instructions:
        return [_counting(device, boards)]
    if estimate:
        return _estimated(known_boards, device, boards, every=every)
    if not boards and not every and device in (None, HOST):
        return [BenchTarget(HOST, HOST, None, "measured", lambda _: open_host())]
    boards_here = choose_boards(known_boards, device, names=boards, every=every)
    if boards_here:
        return [_registered(board) for board in boards_here]
    if every or device is None:
        hint = "add one with: eamdeploy devices add NAME --profile PROFILE --host USER@HOST"
        raise UsageError("you have no board to measure on", where=known_boards.path, hint=hint)
    return [BenchTarget(device, device, None, "emulated", lambda progress: open_emulated(device, progress=progress))]


def _estimated(registry: BoardRegistry, device: str | None, boards: Sequence[str], *, every: bool) -> list[BenchTarget]:
    if device is not None and not boards and not every:
        return [BenchTarget(device, device, None, "estimated", None)]
    boards_here = choose_boards(registry, device, names=boards, every=every) if boards or every else []
    if not boards_here:
        raise UsageError("an estimate is for a device", hint="name a profile, for example `device` pi4")
    return [BenchTarget(board.name, board.profile, board.name, "estimated", None) for board in boards_here]


def _registered(board: Board) -> BenchTarget:
    kind: Literal["measured", "emulated"] = "emulated" if board.emulated else "measured"
    return BenchTarget(
        board.name, board.profile, board.name, kind, lambda progress: open_board(board, progress=progress)
    )


def _counting(device: str | None, boards: Sequence[str]) -> BenchTarget:
    if boards or device in (None, HOST):
        hint = "name a board's profile, for example `device` pi4, and no `board`"
        raise UsageError("instructions are counted on an emulated board only", hint=hint)
    name = str(device)
    return BenchTarget(
        name,
        name,
        None,
        "emulated",
        lambda progress: open_emulated(name, instructions=True, progress=progress),
        instructions=True,
    )
