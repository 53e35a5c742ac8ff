"""The end of a command whose output something else holds open: what a start-up file of the shell left running."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncssh

_LOOK_S, _QUIET_S = 0.25, 1.0


class Ending:
    """Waits for the end of a channel, and closes it itself once its command has ended and nothing more comes."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self._process, self._quiet_since = process, 0.0

    def note_output(self) -> None:
        """Something of the command's output came."""
        self._quiet_since = asyncio.get_running_loop().time()

    async def wait(self) -> None:
        """Wait for the end."""
        closing = asyncio.ensure_future(self._process.wait_closed())
        loop = asyncio.get_running_loop()
        ended = False
        try:
            while not closing.done():
                await asyncio.wait({closing}, timeout=_LOOK_S)
                if self._process.returncode is not None and not ended:
                    ended = True
                    self.note_output()
                elif ended and loop.time() - self._quiet_since > _QUIET_S:
                    self._process.close()
                    break
        finally:
            closing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await closing
