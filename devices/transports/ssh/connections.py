"""The connections to one board: as a rule one, more where the server allows few sessions on each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from devices.transports.ssh.failures import lost
from eamdeploy.base.errors import MissingDependency

if TYPE_CHECKING:
    import asyncssh

Opener = Callable[[Callable[[], None]], Awaitable["asyncssh.SSHClientConnection"]]
_MOST = 6  # of the few commands that a job runs at a time, each on its own
_CLOSE_S = 2.0


class Connections:
    """Opens connections as they are needed.

    Args:
        opener: opens one; its argument is to be called when that connection ends.
        name: the board, for messages.
        target: where it is, for messages.
    """

    def __init__(self, opener: Opener, *, name: str, target: Callable[[], object]) -> None:
        self._opener, self._name, self._target = opener, name, target
        self._open: list[asyncssh.SSHClientConnection] = []
        self._opening = asyncio.Lock()

    async def connect(self) -> None:
        """Open the first one, unless it is open."""
        async with self._opening:
            if not self._open:
                await self._add()

    async def start(self, command: str, limit_s: float) -> tuple[asyncssh.SSHClientProcess[bytes], Callable[[], bool]]:
        """Start a command on the first connection that takes one more session.

        Args:
            command: for the login shell.
            limit_s: how long the board may take to open a session.

        Returns:
            The process, and whether its connection has been lost.

        Raises:
            BoardUnreachable: the link was lost, or no session was opened in time.
            MissingDependency: no connection takes a session.
        """
        import asyncssh

        await self.connect()
        refused: asyncssh.ChannelOpenError | None = None
        for index in range(_MOST):
            if index >= len(self._open):
                async with self._opening:
                    if index >= len(self._open):
                        await self._add()
            connection = self._open[min(index, len(self._open) - 1)]
            try:
                # never a terminal, whatever the configuration asks for: it would echo and change line ends
                async with asyncio.timeout(limit_s):
                    process = await connection.create_process(command, encoding=None, request_pty=False)
            except asyncssh.ChannelOpenError as error:
                if connection not in self._open:
                    raise lost(self._name, self._target(), "while it was in use", error) from error
                refused = error
                continue
            except TimeoutError as error:  # it answers keepalives and opens nothing
                why = f"no session was opened within {limit_s:g} s"
                raise lost(self._name, self._target(), "while it was in use", why) from error
            except (asyncssh.Error, OSError) as error:
                raise lost(self._name, self._target(), "while it was in use", error) from error
            return process, partial(self._is_lost, connection)
        hint = "check MaxSessions in /etc/ssh/sshd_config there"
        where = f"{self._name}, {self._target()}"
        raise MissingDependency("the board opens no session for commands", where=where, why=refused, hint=hint)

    async def close(self) -> None:
        """Close them all; never raises."""
        connections, self._open = self._open, []
        for connection in connections:
            connection.close()
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(_CLOSE_S):
                    await connection.wait_closed()
            connection.abort()

    def _is_lost(self, connection: asyncssh.SSHClientConnection) -> bool:
        return connection not in self._open

    async def _add(self) -> None:
        holder: list[asyncssh.SSHClientConnection] = []

        def on_lost() -> None:
            for connection in holder:
                if connection in self._open:
                    self._open.remove(connection)

        connection = await self._opener(on_lost)
        holder.append(connection)
        self._open.append(connection)
