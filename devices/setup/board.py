"""Sets up a registered board and remembers its Python."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from devices.boards.registry import BoardRegistry
from devices.doctor.wheels import runtime_wheels
from devices.session.opening import open_board
from devices.setup.install import Installed, set_up
from eamdeploy.base.errors import UsageError, did_you_mean


def set_up_board(
    name: str,
    *,
    runtimes: Sequence[str] = (),
    offline: bool | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Installed:
    """Install on the board called ``name``; from then on its own environment is used there.

    Raises:
        UsageError: there is no such board or runtime, or it is emulated.
        MissingDependency: nothing fits, or the installation failed.
        BoardUnreachable: the board cannot be reached.
    """
    registry = BoardRegistry()
    board = registry.get(name)
    if board.emulated:
        raise UsageError("an emulated board has everything already", where=name)
    known = [wheel.package for wheel in runtime_wheels()]
    for runtime in runtimes:
        if runtime not in known:
            raise UsageError(f"no runtime is called '{runtime}'", hint=did_you_mean(runtime, known))

    async def work() -> Installed:
        transport = open_board(board)
        try:
            return await set_up(transport, runtimes=runtimes, offline=offline, progress=told)
        finally:
            await transport.close()

    installed = asyncio.run(work())
    registry.add(replace(board, python=installed.python), replace_existing=True)
    return installed
