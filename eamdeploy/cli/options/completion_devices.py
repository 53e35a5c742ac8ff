"""What the shell completes about boards. Quick, silent, and never an error."""

from __future__ import annotations

import contextlib

from eamdeploy.base.errors import EamdeployError


def complete_profile(incomplete: str) -> list[tuple[str, str]]:
    """Profiles, each with its full name."""
    from devices.boards.profiles import profiles

    with contextlib.suppress(EamdeployError):
        return [(each.name, each.title) for each in profiles() if each.name.startswith(incomplete)]
    return []


def complete_board(incomplete: str) -> list[tuple[str, str]]:
    """The user's boards, each with what it is; the last of names separated by commas."""
    from devices.boards.registry import BoardRegistry

    head, comma, tail = incomplete.rpartition(",")
    with contextlib.suppress(EamdeployError):
        boards = BoardRegistry().boards()
        return [
            (head + comma + each.name, f"{each.profile}, {each.host}") for each in boards if each.name.startswith(tail)
        ]
    return []


def complete_place(incomplete: str) -> list[tuple[str, str]]:
    """Boards and profiles."""
    return complete_board(incomplete) + complete_profile(incomplete)
