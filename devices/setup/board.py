"""Sets up a registered board and remembers its Python."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from devices.boards.registry import BoardRegistry
from devices.doctor.wheels import runtime_wheels
from devices.session.fanout import run_on_boards
from devices.session.opening import open_board
from devices.setup.install import Installed, set_up
from devices.transports.protocol import Transport
from eamdeploy.base.errors import InternalError, UsageError, did_you_mean
from eamdeploy.base.progress import SILENT, Progress


def set_up_board(
    name: str,
    *,
    runtimes: Sequence[str] = (),
    offline: bool | None = None,
    progress: Progress = SILENT,
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
    packages = [wheel.package for wheel in runtime_wheels()]
    for runtime in runtimes:
        if runtime not in packages:
            raise UsageError(f"no runtime is called '{runtime}'", hint=did_you_mean(runtime, packages))

    async def work(transport: Transport) -> Installed:
        return await set_up(transport, runtimes=runtimes, offline=offline, progress=progress)

    # the lock: no measurement may run out of the environment that is replaced
    outcome = asyncio.run(run_on_boards([open_board(board, progress=progress)], work, what="devices setup"))[0]
    if outcome.error is not None:
        raise outcome.error
    installed = outcome.result
    if installed is None:
        raise InternalError("the board was set up without a result", where=name)
    registry.add(replace(board, python=installed.python), replace_existing=True)
    return installed
