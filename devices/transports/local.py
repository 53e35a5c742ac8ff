"""This machine as a board: the same protocol, without a link to lose."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from devices.transports.limits import RUN_S
from devices.transports.lines import TAIL_LINE_CHARACTERS, pieces_of, whole_lines
from devices.transports.protocol import JOB_VARIABLE, CompletedCommand
from eamdeploy.base.errors import BoardUnreachable, MissingDependency, UsageError
from eamdeploy.base.files import atomic_path

_TAIL_LINES = 40
LOCAL_NAME = "host"
_NO_PROGRAM = 127
_KILL_WAIT_S = 3.0  # for each of the two signals


class LocalStream:
    """A running command of this machine, in a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._stderr = asyncio.create_task(self._read_stderr())

    async def _read_stderr(self) -> None:
        if self._process.stderr is not None:
            async for piece in pieces_of(self._process.stderr):
                self._tail.append(piece[:TAIL_LINE_CHARACTERS].decode(errors="replace").rstrip("\r\n"))

    async def __aiter__(self) -> AsyncIterator[str]:
        """Lines of standard output."""
        if self._process.stdout is not None:
            async for line in whole_lines(pieces_of(self._process.stdout), board=LOCAL_NAME):
                yield line

    async def send(self, line: str) -> None:
        """Write one line to the command's standard input."""
        stdin = self._process.stdin
        try:
            if stdin is None or self._process.returncode is not None:
                raise BrokenPipeError
            stdin.write(line.encode() + b"\n")
            await stdin.drain()
        except OSError as error:
            raise BoardUnreachable("the command on this machine has ended", why=self.stderr_tail or None) from error

    async def wait(self) -> int:
        """Close the input, wait for the end, return the exit status (negative: a signal)."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        status = await self._process.wait()
        await self._stderr
        return status

    async def kill(self) -> None:
        """End the whole process group."""
        await _kill_group(self._process)
        self._stderr.cancel()
        # a process in a session of its own, which dies a moment later, still holds the other ends of the pipes
        self._process._transport.close()  # type: ignore[attr-defined]

    @property
    def stderr_tail(self) -> str:
        """The last lines of standard error."""
        return "\n".join(self._tail)


class LocalTransport:
    """Runs on this machine, with the Python that runs this process."""

    def __init__(self, name: str = LOCAL_NAME, *, python: Sequence[str] = (sys.executable,)) -> None:
        self.name = name
        self.python = (*python, "-I")
        self.work_root: str | None = None
        self.job: str | None = None

    async def connect(self) -> None:
        """Nothing to open."""

    async def run(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout_s: float | None = None
    ) -> CompletedCommand:
        """Run a command to its end."""
        timeout_s = RUN_S if timeout_s is None else timeout_s
        try:
            process = await self._start(argv, env=None)
        except FileNotFoundError as error:
            return CompletedCommand(_NO_PROGRAM, b"", f"{argv[0]}: {error.strerror}".encode())
        try:
            async with asyncio.timeout(timeout_s):
                stdout, stderr = await process.communicate(stdin)
        except TimeoutError as error:
            await _kill_group(process)
            raise BoardUnreachable(
                "a command did not finish in time",
                where=self.name,
                why=f"'{argv[0]}' ran for more than {timeout_s:g} s",
            ) from error
        except asyncio.CancelledError:
            await _kill_group(process)
            raise
        return CompletedCommand(process.returncode or 0, stdout, stderr)

    async def stream(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> LocalStream:
        """Start a command whose input and output stay open."""
        try:
            return LocalStream(await self._start(argv, env=env))
        except FileNotFoundError as error:
            raise MissingDependency(f"'{argv[0]}' is not on this machine", why=error.strerror) from error

    async def push(self, local: Path, remote: str) -> None:
        """Copy a file."""
        with atomic_path(Path(remote)) as temporary:
            await asyncio.to_thread(shutil.copyfile, local, temporary)
            temporary.chmod(0o600)

    async def pull(self, remote: str, local: Path) -> None:
        """Copy a file."""
        if not Path(remote).is_file():
            raise UsageError("a file could not be read", where=remote)
        with atomic_path(local) as temporary:
            await asyncio.to_thread(shutil.copyfile, remote, temporary)

    async def remove(self, remote: str) -> None:
        """Delete a file or a folder tree."""
        path = Path(remote)
        if path.is_dir() and not path.is_symlink():
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    async def workdir(self) -> str:
        """Make a fresh private folder."""
        try:
            return tempfile.mkdtemp(prefix="eamdeploy.", dir=self.work_root)
        except OSError as error:
            raise MissingDependency("no temporary folder can be made", why=error.strerror) from error

    async def close(self) -> None:
        """Nothing to close."""

    async def _start(self, argv: Sequence[str], *, env: Mapping[str, str] | None) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(  # noqa: TID251 - commands of a board, whose Python is isolated
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **(env or {}), **({JOB_VARIABLE: self.job} if self.job else {})},
            start_new_session=True,
        )


async def _kill_group(process: asyncio.subprocess.Process) -> None:
    # asked first, so that it can end what it started in groups of their own, and then made to
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            os.killpg(process.pid, number)
            async with asyncio.timeout(_KILL_WAIT_S):
                await process.wait()
