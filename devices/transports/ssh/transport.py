"""The SSH `devices.transports.protocol.Transport`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from devices.transports import limits, remote_shell
from devices.transports.protocol import JOB_VARIABLE, CompletedCommand
from devices.transports.ssh.client import open_connection
from devices.transports.ssh.command import SshCommand
from devices.transports.ssh.connections import Connections
from devices.transports.ssh.frames import Noise
from devices.transports.ssh.stream import SshStream
from devices.transports.ssh.target import SshTarget
from eamdeploy.base.errors import BoardUnreachable, MeasurementError
from eamdeploy.base.files import atomic_path
from eamdeploy.base.progress import SILENT, Progress

if TYPE_CHECKING:
    import asyncssh

_CHUNK_BYTES = 1 << 18
_SHOWN = 60
# from a session's start to the first word of the command in it. The first command shares it with the login, down to the
# floor: the start of this program, the login and this together are less than the ten seconds in which a user is told
SHELL_LIMIT_S = 5.0
_SHELL_FLOOR = 0.6


class SshTransport:
    """A board over SSH; commands and files share one connection, or as many as the server's limits ask for.

    Attributes:
        name: what the user calls the board.
        python: the argument list that starts the board's Python, isolated from the home folder and PYTHONPATH.
        work_root: folder on the board in which `workdir` makes its folders; the board's temporary folder when None.
        job: marker of the job that the commands belong to, in their environment.
        noise: what the login shell printed around the answers.
        patience: how many times slower than a real board it may be; an emulated one is.
    """

    patience = 1.0

    def __init__(
        self,
        name: str,
        target: SshTarget,
        *,
        python: Sequence[str] = ("python3",),
        connect_timeout_s: float = 15.0,
        silence_s: float = 15.0,
        shell_limit_s: float = SHELL_LIMIT_S,
        progress: Progress = SILENT,
    ) -> None:
        self.name = name
        self.target = target
        self.python = (*python, "-I")
        self.work_root: str | None = None
        self.job: str | None = None
        self.noise = Noise()
        self._has_answered = False
        self._connect_timeout_s, self._silence_s, self._shell_limit_s = connect_timeout_s, silence_s, shell_limit_s
        self._progress, self._started = progress, time.monotonic()
        self._connections = Connections(self._open, name=name, target=lambda: self.target)

    async def connect(self) -> None:
        """Open the link, unless it is open.

        Raises:
            BoardUnreachable: with the reason in words.
        """
        await self._connections.connect()

    async def run(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout_s: float | None = None
    ) -> CompletedCommand:
        """Run a command to its end."""
        limit_s = limits.RUN_S * self.patience if timeout_s is None else timeout_s
        return await self._run(argv, [] if stdin is None else [stdin], limit_s)

    async def stream(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> SshStream:
        """Start a command whose input and output stay open."""
        prefix = ["env", *(f"{name}={value}" for name, value in env.items())] if env else []
        command = self._command([*prefix, *argv])
        process, is_lost = await self._begun(command, command.frame.stream(command.argv))
        return self._stream(command, process, is_lost)

    async def push(self, local: Path, remote: str) -> None:
        """Copy a file to the board; it appears there whole or not at all."""
        size = local.stat().st_size
        with local.open("rb") as file:
            chunks = iter(lambda: file.read(_CHUNK_BYTES), b"")
            result = await self._run(remote_shell.receive(remote, size), chunks, self._transfer_s(size))
        if not result.ok:
            raise remote_shell.write_failure(result, name=self.name, remote=remote)

    async def pull(self, remote: str, local: Path) -> None:
        """Copy a file from the board; it appears here whole or not at all."""
        command = self._command(remote_shell.send(remote))
        process, is_lost = await self._begun(command, command.frame.command(command.argv))
        async with self._within(self._transfer_s(0), command, process, is_lost) as limit:
            with atomic_path(local) as temporary, temporary.open("wb") as file:
                announced = await process.stdout.readline()
                bytes_left = int(announced) if announced.strip().isdigit() else 0
                limit.reschedule(asyncio.get_running_loop().time() + self._transfer_s(bytes_left))
                while bytes_left and (chunk := await process.stdout.read(min(bytes_left, _CHUNK_BYTES))):
                    file.write(chunk)
                    bytes_left -= len(chunk)
                result = await command.finish(process)
                if not result.ok or bytes_left:
                    raise remote_shell.read_failure(result, name=self.name, remote=remote)

    async def remove(self, remote: str) -> None:
        """Delete a file or a folder tree."""
        await self.run(["rm", "-rf", "--", remote])

    async def workdir(self) -> str:
        """Make a fresh private folder."""
        result = await self.run(remote_shell.make_workdir(self.work_root))
        if not result.ok:
            raise remote_shell.write_failure(result, name=self.name, remote="a temporary folder")
        if not remote_shell.is_workdir(result.text):
            why = f"{result.text[:_SHOWN]!r} is no folder that was just made"
            raise MeasurementError("the board's answer cannot be used", where=f"{self.name}, {self.target}", why=why)
        return result.text

    async def close(self) -> None:
        """Close the link."""
        await self._connections.close()

    async def _open(self, on_lost: Callable[[], None]) -> asyncssh.SSHClientConnection:
        return await open_connection(
            self.target,
            name=self.name,
            timeout_s=self._connect_timeout_s,
            silence_s=self._silence_s,
            on_lost=on_lost,
        )

    def _command(self, argv: Sequence[str]) -> SshCommand:
        return SshCommand(
            argv,
            program=argv[0] if argv else "sh",
            name=self.name,
            target=self.target,
            noise=self.noise,
            progress=self._progress,
            variables=(f"{JOB_VARIABLE}={self.job}",) if self.job and argv else (),
        )

    def _limit_of_the_shell(self) -> float:
        if self._has_answered:
            return self._shell_limit_s
        left_s = self._shell_limit_s - (time.monotonic() - self._started)
        return round(max(_SHELL_FLOOR * self._shell_limit_s, left_s), 1)

    async def _run(self, argv: Sequence[str], chunks: Iterable[bytes], limit_s: float) -> CompletedCommand:
        command = self._command(argv)
        process, is_lost = await self._begun(command, command.frame.command(command.argv))
        async with self._within(limit_s, command, process, is_lost):
            feeding = asyncio.create_task(self._feed(process, chunks))
            try:
                return await command.finish(process)
            finally:
                feeding.cancel()

    async def _begun(
        self, command: SshCommand, line: str
    ) -> tuple[asyncssh.SSHClientProcess[bytes], Callable[[], bool]]:
        """Start a command and wait until it runs."""
        process, is_lost = await self._connections.start(line, limits.SESSION_S * self.patience)
        try:
            await command.begin(process, is_lost, self._limit_of_the_shell())
            self._has_answered = True
        except asyncio.CancelledError:
            await self._stream(command, process, is_lost).kill()
            raise
        return process, is_lost

    @contextlib.asynccontextmanager
    async def _within(
        self,
        limit_s: float,
        command: SshCommand,
        process: asyncssh.SSHClientProcess[bytes],
        is_lost: Callable[[], bool],
    ) -> AsyncIterator[asyncio.Timeout]:
        """What is not done in time, or talks too much, or is interrupted, is ended on the board as well."""
        try:
            async with asyncio.timeout(limit_s) as limit:
                yield limit
        except TimeoutError as error:
            await self._stream(command, process, is_lost).kill()
            raise BoardUnreachable(
                "the board did not finish a command in time",
                where=f"{self.name}, {self.target}",
                why=f"'{command.program}' ran for more than {limit_s:g} s",
            ) from error
        except (asyncio.CancelledError, MeasurementError):
            await self._stream(command, process, is_lost).kill()
            raise

    def _transfer_s(self, size_bytes: int) -> float:
        return limits.transfer_s(size_bytes) * self.patience

    async def _feed(self, process: asyncssh.SSHClientProcess[bytes], chunks: Iterable[bytes]) -> None:
        import asyncssh

        # a command that ends without reading its input is no error: its status tells
        with contextlib.suppress(asyncssh.Error, OSError):
            for chunk in chunks:
                process.stdin.write(chunk)
                await process.stdin.drain()
            process.stdin.write_eof()

    def _stream(
        self, command: SshCommand, process: asyncssh.SSHClientProcess[bytes], is_lost: Callable[[], bool]
    ) -> SshStream:
        async def end_group(signal: str) -> None:
            if command.process_id is not None and not is_lost():
                script = f"kill -{signal} -{command.process_id} || kill -{signal} {command.process_id}"
                line = self._command([]).frame.stream(["sh", "-c", script])
                ending, _ = await self._connections.start(line, limits.SESSION_S)
                await ending.wait_closed()
                ending.close()

        return SshStream(
            process,
            name=self.name,
            target=self.target,
            is_lost=is_lost,
            errors_start=command.frame.errors_start,
            end_group=end_group,
        )
