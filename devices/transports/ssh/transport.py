"""The SSH `devices.transports.protocol.Transport`."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from devices.transports import remote_shell
from devices.transports.protocol import CompletedCommand
from devices.transports.ssh.client import open_connection
from devices.transports.ssh.failures import lost
from devices.transports.ssh.stream import SshStream
from devices.transports.ssh.target import SshTarget
from eamdeploy.base.errors import BoardUnreachable
from eamdeploy.base.files import atomic_path

if TYPE_CHECKING:
    import asyncssh

_CHUNK_BYTES = 1 << 18


class SshTransport:
    """A board over SSH; commands and files share one connection.

    Attributes:
        name: what the user calls the board.
        python: the argument list that starts the board's Python.
        work_root: folder on the board in which `workdir` makes its folders; the board's temporary folder when None.
    """

    def __init__(
        self,
        name: str,
        target: SshTarget,
        *,
        python: Sequence[str] = ("python3",),
        connect_timeout_s: float = 15.0,
        silence_s: float = 15.0,
    ) -> None:
        self.name = name
        self.target = target
        self.python = tuple(python)
        self.work_root: str | None = None
        self._connect_timeout_s, self._silence_s = connect_timeout_s, silence_s
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connecting = asyncio.Lock()

    async def connect(self) -> None:
        """Open the link, unless it is open.

        Raises:
            BoardUnreachable: with the reason in words.
        """
        async with self._connecting:
            if self._connection is None:
                self._connection = await open_connection(
                    self.target,
                    name=self.name,
                    timeout_s=self._connect_timeout_s,
                    silence_s=self._silence_s,
                    on_lost=self._on_lost,
                )

    def _on_lost(self) -> None:
        self._connection = None

    def _is_lost(self) -> bool:
        return self._connection is None

    async def run(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout_s: float | None = None
    ) -> CompletedCommand:
        """Run a command to its end."""
        return await self._run(argv, [] if stdin is None else [stdin], timeout_s=timeout_s)

    async def stream(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> SshStream:
        """Start a command whose input and output stay open."""
        prefix = ["env", *(f"{name}={value}" for name, value in env.items())] if env else []
        process = await self._start([*prefix, *argv])
        return SshStream(process, name=self.name, target=self.target, is_lost=self._is_lost)

    async def push(self, local: Path, remote: str) -> None:
        """Copy a file to the board; it appears there whole or not at all."""
        size = local.stat().st_size
        with local.open("rb") as file:
            chunks = iter(lambda: file.read(_CHUNK_BYTES), b"")
            result = await self._run(remote_shell.receive(remote, size), chunks)
        if not result.ok:
            raise remote_shell.write_failure(result, name=self.name, remote=remote)

    async def pull(self, remote: str, local: Path) -> None:
        """Copy a file from the board; it appears here whole or not at all."""
        process = await self._start(["cat", "--", remote])
        with atomic_path(local) as temporary, temporary.open("wb") as file:
            while chunk := await process.stdout.read(_CHUNK_BYTES):
                file.write(chunk)
            result = await self._finish(process)
            if not result.ok:
                raise remote_shell.read_failure(result, name=self.name, remote=remote)

    async def remove(self, remote: str) -> None:
        """Delete a file or a folder tree."""
        await self.run(["rm", "-rf", "--", remote])

    async def workdir(self) -> str:
        """Make a fresh private folder."""
        result = await self.run(remote_shell.make_workdir(self.work_root))
        if not result.ok:
            raise remote_shell.write_failure(result, name=self.name, remote="a temporary folder")
        return result.text

    async def close(self) -> None:
        """Close the link."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(2):
                    await connection.wait_closed()
            connection.abort()

    async def _start(self, argv: Sequence[str]) -> asyncssh.SSHClientProcess[bytes]:
        import asyncssh

        await self.connect()
        if self._connection is None:
            raise self._lost()
        try:
            # the one place where arguments become a string: sshd hands it to the login shell
            return await self._connection.create_process(shlex.join(argv), encoding=None)
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    async def _run(
        self, argv: Sequence[str], chunks: Iterable[bytes], *, timeout_s: float | None = None
    ) -> CompletedCommand:
        process = await self._start(argv)
        try:
            async with asyncio.timeout(timeout_s):
                feeding = asyncio.create_task(self._feed(process, chunks))
                try:
                    return await self._finish(process)
                finally:
                    feeding.cancel()
        except TimeoutError as error:
            await self._kill(process)
            raise BoardUnreachable(
                "the board did not finish a command in time",
                where=f"{self.name}, {self.target}",
                why=f"'{argv[0]}' ran for more than {timeout_s:g} s",
            ) from error
        except asyncio.CancelledError:
            await self._kill(process)
            raise

    async def _feed(self, process: asyncssh.SSHClientProcess[bytes], chunks: Iterable[bytes]) -> None:
        import asyncssh

        # a command that ends without reading its input is no error: its status tells
        with contextlib.suppress(asyncssh.Error, OSError):
            for chunk in chunks:
                process.stdin.write(chunk)
                await process.stdin.drain()
            process.stdin.write_eof()

    async def _finish(self, process: asyncssh.SSHClientProcess[bytes]) -> CompletedCommand:
        import asyncssh

        try:
            stdout, stderr = await asyncio.gather(process.stdout.read(), process.stderr.read())
            await process.wait_closed()
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error
        status = process.returncode
        if status is None:  # asyncssh returns normally when the link drops; only the missing status shows it
            raise self._lost()
        return CompletedCommand(status, stdout, stderr)

    async def _kill(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        await SshStream(process, name=self.name, target=self.target, is_lost=self._is_lost).kill()

    def _lost(self, why: object | None = None) -> BoardUnreachable:
        return lost(self.name, self.target, "while it was in use", why)
