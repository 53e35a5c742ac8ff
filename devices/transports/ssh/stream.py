"""A command that runs on the board with its input and output open."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from devices.transports.lines import TAIL_LINE_CHARACTERS, whole_lines
from devices.transports.ssh.ending import Ending
from devices.transports.ssh.failures import lost
from eamdeploy.base.errors import EamdeployError

if TYPE_CHECKING:
    import asyncssh

    from eamdeploy.base.errors import BoardUnreachable

_TAIL_LINES = 40
_SIGNAL_WAIT_S = 1.0
_KILL_WAIT_S = 3.0  # for each of the two signals


class SshStream:
    """The `Stream` of an SSH channel."""

    def __init__(
        self,
        process: asyncssh.SSHClientProcess[bytes],
        *,
        name: str,
        target: object,
        is_lost: Callable[[], bool],
        errors_start: bytes = b"",
        end_group: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._process, self._errors_start, self._end_group = process, errors_start, end_group
        self._name, self._target, self._is_lost = name, target, is_lost
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._stderr = asyncio.create_task(self._read_stderr())
        self._ending = Ending(process)
        self._ended = asyncio.create_task(self._ending.wait())

    async def _read_stderr(self) -> None:
        import asyncssh

        with contextlib.suppress(asyncssh.Error, OSError):
            async for line in self._process.stderr:
                if line == self._errors_start:  # what stands before it is the login shell's
                    self._tail.clear()
                else:
                    self._tail.append(line[:TAIL_LINE_CHARACTERS].decode(errors="replace").rstrip("\r\n"))

    async def __aiter__(self) -> AsyncIterator[str]:
        """Lines of standard output; raises `BoardUnreachable` when the link is lost."""
        import asyncssh

        try:
            async for line in whole_lines(self._pieces(), board=self._name):
                yield line
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error
        # a lost link looks like the end of the output: asyncssh reports the loss a moment later
        await asyncio.sleep(0)
        if self._is_lost() and self._process.returncode is None:
            raise self._lost()

    async def _pieces(self) -> AsyncIterator[bytes]:
        # a line that is longer than the channel's window comes in pieces without an end
        async for piece in self._process.stdout:
            if not piece:  # the end of the output, seen a moment later than asked for
                break
            self._ending.note_output()
            yield piece

    async def send(self, line: str) -> None:
        """Write one line to the command's standard input."""
        import asyncssh

        if self._is_lost():
            raise self._lost()
        try:
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    async def wait(self) -> int:
        """Close the input, wait for the end, return the exit status."""
        import asyncssh

        with contextlib.suppress(asyncssh.Error, OSError):
            self._process.stdin.write_eof()
        await asyncio.shield(self._ended)
        await self._stderr
        status = self._process.returncode
        if status is None:
            raise self._lost()
        return status

    async def kill(self) -> None:
        """End the command's whole process group; nothing happens to one that has ended.

        It is asked first, so that it can end what it started in groups of their own, and then made to.
        """
        import asyncssh

        for signal in ("TERM", "KILL"):
            with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
                if self._process.returncode is None and not self._is_lost():
                    self._process.send_signal(signal)  # sshd hands it to the whole process group
                    if self._end_group is not None and not await self._ends(_SIGNAL_WAIT_S):
                        await self._ask_to_end(self._end_group, signal)
                    await self._ends(_KILL_WAIT_S)
        self._process.close()
        self._stderr.cancel()
        self._ended.cancel()

    async def _ask_to_end(self, end_group: Callable[[str], Awaitable[None]], signal: str) -> None:
        # a server with a forced command passes no signals on: another command sends them
        with contextlib.suppress(EamdeployError, TimeoutError):
            async with asyncio.timeout(_KILL_WAIT_S):
                await end_group(signal)

    async def _ends(self, within_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._process.wait_closed()
                return True
        return False

    @property
    def stderr_tail(self) -> str:
        """The last lines of standard error."""
        return "\n".join(self._tail)

    def _lost(self, why: object | None = None) -> BoardUnreachable:
        return lost(self._name, self._target, "while a command was running on it", why)
