"""From what the user says (``--device``, ``--board``, ``--all``) to transports."""

from __future__ import annotations

from collections.abc import Sequence

from devices.boards.profiles import load_profile, profile_names
from devices.boards.registry import Board, BoardRegistry
from devices.transports.local import LocalTransport
from devices.transports.protocol import Transport
from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import SILENT, Progress


def board_called(registry: BoardRegistry, device: str | None) -> Board | None:
    """The user's board of that name, where a device is named by its board and not by its profile."""
    if device is None or device in profile_names():
        return None
    return next((board for board in registry.boards() if board.name == device), None)


def choose_boards(
    registry: BoardRegistry, device: str | None, *, names: Sequence[str] = (), every: bool = False
) -> list[Board]:
    """The boards to work on; an empty list means that the user has none of this kind.

    Args:
        registry: the user's boards.
        device: profile that they must have; None takes any.
        names: boards called by name.
        every: all boards of the profile.

    Raises:
        UsageError: a name is unknown or of another profile, or several boards fit and none was chosen.
    """
    if names:
        boards = [registry.get(name) for name in dict.fromkeys(names)]
        for board in boards:
            if device is not None and board.profile != device:
                raise UsageError(
                    f"board '{board.name}' is a {board.profile}, not a {device}",
                    hint=f"choose `device` {board.profile}, or another board",
                )
        return boards
    fitting = [board for board in registry.boards() if device is None or board.profile == device]
    if every or len(fitting) <= 1:
        return fitting
    listed = ",".join(board.name for board in fitting)
    raise UsageError(f"several boards are a {device}", where=listed, hint=f"choose with `board` {listed}, or `every`")


def open_board(board: Board, *, instructions: bool = False, progress: Progress = SILENT) -> Transport:
    """The transport of a board; nothing is connected yet."""
    if board.emulated:
        return open_emulated(board.profile, instructions=instructions, name=board.name, progress=progress)
    if instructions:
        raise UsageError("instructions can only be counted on an emulated board", where=board.name)
    from devices.transports.ssh import SshTransport

    return SshTransport(board.name, board.target, python=(board.python or "python3",), progress=progress)


def open_emulated(
    device: str,
    *,
    instructions: bool = False,
    name: str | None = None,
    progress: Progress = SILENT,
) -> Transport:
    """The transport of the emulated board for a profile; nothing is started yet.

    Raises:
        MissingDependency: this profile cannot be emulated.
    """
    from devices.transports.emulated import EmulatedTransport

    return EmulatedTransport(load_profile(device), instructions=instructions, name=name, progress=progress)


def open_host() -> Transport:
    """This machine."""
    return LocalTransport()
