"""A board for tests: a real SSH server in this process that runs real commands in a home folder of its own.

Whatever a real board can do wrong at the end of a wire is a method here: `cut` drops every connection, `freeze` stops
answering, `stop` closes the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import asyncssh

_CHUNK = 1 << 16


class ServedSession(asyncssh.SSHServerSession):
    """Runs what it is asked to run."""

    def __init__(self, board: BoardServer) -> None:
        self.board = board
        self.process: asyncio.subprocess.Process | None = None
        self.pending: list[bytes] = []
        self.eof = False
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, chan) -> None:
        self.chan = chan

    def exec_requested(self, command: str) -> bool:
        self.board.commands.append(command)
        self.command = command
        return True

    def session_started(self) -> None:
        task = asyncio.ensure_future(self.run())
        self.tasks.add(task)

    async def run(self) -> None:
        self.process = process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.board.environment,
            cwd=self.board.home,
            start_new_session=True,
        )
        self.board.processes.append(process)
        for data in self.pending:
            process.stdin.write(data)
        if self.eof:
            process.stdin.close()
        await asyncio.gather(self.copy(process.stdout, None), self.copy(process.stderr, asyncssh.EXTENDED_DATA_STDERR))
        status = await process.wait()
        with contextlib.suppress(OSError, asyncssh.Error):
            if status < 0:
                self.chan.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
            else:
                self.chan.exit(status)

    async def copy(self, reader: asyncio.StreamReader, kind: int | None) -> None:
        while data := await reader.read(_CHUNK):
            self.board.bytes_out += len(data)
            with contextlib.suppress(OSError, asyncssh.Error):
                self.chan.write(data, kind)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self.board.received(len(data))
        if self.process is None:
            self.pending.append(data)
        else:
            with contextlib.suppress(OSError):
                self.process.stdin.write(data)

    def eof_received(self) -> bool:
        self.eof = True
        if self.process is not None:
            self.process.stdin.close()
        return True

    def signal_received(self, signal: str) -> None:
        self.kill(getattr(__import__("signal"), f"SIG{signal}"))

    def kill(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def connection_lost(self, exc) -> None:
        # as OpenSSH without a terminal: the command is not killed, it sees the end of its input
        self.eof_received()


class _Server(asyncssh.SSHServer):
    def __init__(self, board: BoardServer) -> None:
        self.board = board

    def connection_made(self, conn) -> None:
        self.board.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == self.board.user and key == self.board.client_key.convert_to_public()

    def session_requested(self):
        return self.board.session(self.board)

    def connection_requested(self, dest_host, dest_port, orig_host, orig_port):
        self.board.forwarded.append((dest_host, dest_port))
        return self.board.forwards


class BoardServer:
    """The server; ``async with BoardServer(folder) as board``.

    Attributes:
        environment: what commands on the "board" see; tests change PATH, HOME, TMPDIR.
        session: makes what answers a command; a test's own may be rude.
        cut_after_bytes: drop the link once this many bytes have arrived.
    """

    def __init__(self, folder: Path, *, user: str = "pi") -> None:
        self.folder, self.user = folder, user
        self.home = folder / "home"
        self.tmp = folder / "tmp"
        for path in (self.home, self.tmp):
            path.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "PATH": os.environ["PATH"],
            "EAMDEPLOY_LOCK_DIR": str(self.tmp),
        }
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.commands: list[str] = []
        self.processes: list[asyncio.subprocess.Process] = []
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.bytes_in = self.bytes_out = 0
        self.cut_after_bytes: int | None = None
        self.port = 0
        self.session: Callable[[Any], Any] = ServedSession
        self.forwards = False
        self.forwarded: list[tuple[str, int]] = []
        self._server: asyncssh.SSHAcceptor | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        self.client_key.write_private_key(str(self.identity))
        self.identity.chmod(0o600)
        self.write_known_hosts(self.host_key)
        return self

    async def start(self) -> None:
        self._server = await asyncssh.create_server(
            lambda: _Server(self), "127.0.0.1", self.port, server_host_keys=[self.host_key], encoding=None
        )
        self.port = self._server.get_port()

    async def __aexit__(self, *exc) -> None:
        await self.stop()
        for process in self.processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            process._transport.close()  # type: ignore[attr-defined]  # a grandchild may hold its pipes open
        await asyncio.sleep(0)

    @property
    def identity(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def write_known_hosts(self, key: asyncssh.SSHKey) -> None:
        public = key.export_public_key("openssh").decode().strip()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}\n")

    def received(self, count: int) -> None:
        self.bytes_in += count
        if self.cut_after_bytes is not None and self.bytes_in >= self.cut_after_bytes:
            self.cut_after_bytes = None
            self.cut()

    def cut(self) -> None:
        """Drop every connection, as a pulled network cable that is noticed at once."""
        for connection in self.connections:
            connection.abort()
        self.connections.clear()

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        await asyncio.sleep(0)

    def running(self) -> list[int]:
        """Process ids of commands that have not ended."""
        return [process.pid for process in self.processes if process.returncode is None]

    def target(self, **changes):
        from devices.transports.ssh import SshTarget

        settings = {
            "host": "127.0.0.1",
            "user": self.user,
            "port": self.port,
            "identity": self.identity,
            "known_hosts": self.known_hosts,
            "config": None,
        }
        return SshTarget(**(settings | changes))

    def transport(self, name: str = "mypi", **changes):
        from devices.transports.ssh import SshTransport

        options = {key: changes.pop(key) for key in ("python", "connect_timeout_s", "silence_s") if key in changes}
        return SshTransport(name, self.target(**changes), **options)
