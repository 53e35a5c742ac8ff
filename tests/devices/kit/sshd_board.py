"""A board behind a real OpenSSH server, whose user has the shell, the start-up files and the programs a test asks for.

    with SshdBoard(tmp_path, files={".bashrc": "echo Welcome"}) as board:
        transport = board.transport()

The server runs as whoever runs the tests. A forced command stands in for the account's own login shell, so neither an
account nor any file outside of the test's folder is touched.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import asyncssh
import pytest

_SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
_START_S = 20.0


class SshdBoard:
    """The server; a context manager.

    Args:
        folder: the test's own.
        shell: the login shell, found on the path; a test is skipped where it is not installed.
        files: start-up and other files of the home folder, by name.
        programs: shell scripts that stand on the board's path before the system's, by name.
        environment: what the user's session has beside the usual.
        options: further lines of sshd_config.
        forced: what the server runs whatever is asked, in place of a login shell.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shell: str = "bash",
        files: Mapping[str, str] | None = None,
        programs: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        forced: str | None = None,
    ) -> None:
        shell_path = shutil.which(shell)
        if not Path(_SSHD).is_file() or shell_path is None:
            pytest.skip(f"needs openssh-server and {shell}")
        self.folder, self._options = folder, list(options)
        self.home, self.tmp, self.tools = folder / "home", folder / "tmp", folder / "tools"
        for path in (self.home, self.tmp, self.tools, folder / "nobody"):
            path.mkdir(parents=True, exist_ok=True)
        for name, text in (files or {}).items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name, text in (programs or {}).items():
            self.program(name, text)
        self.environment = {
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "EAMDEPLOY_LOCK_DIR": str(self.tmp),
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            **(environment or {}),
        }
        self._login = folder / "login"
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.environment.items())
        run = f'exec {shlex.quote(shell_path)} -c "$SSH_ORIGINAL_COMMAND"' if forced is None else forced
        # without SHLVL a bash takes itself for the session's first one, and reads ~/.bashrc as it does on a board
        self._login.write_text(f'#!/bin/sh\nunset SHLVL\n{exports}cd "$HOME"\n{run}\n')
        self._login.chmod(0o755)
        self.forced = forced
        self.port = 0
        self._server: subprocess.Popen[bytes] | None = None

    def program(self, name: str, text: str) -> None:
        """Put a shell script on the board's path."""
        (self.tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.tools / name).chmod(0o755)

    def __enter__(self) -> Self:
        """Make keys, start the server and wait until it listens."""
        host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        for key, name in ((host, "host_key"), (client, "id_ed25519")):
            key.write_private_key(str(self.folder / name))
            (self.folder / name).chmod(0o600)
        client.write_public_key(str(self.folder / "authorized_keys"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        public = host.export_public_key("openssh").decode().strip()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}\n")
        command = "internal-sftp" if self.forced == "internal-sftp" else str(self._login)
        lines = [
            *self._options,
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "PidFile none",
            "PrintMotd no",
            "Subsystem sftp internal-sftp",
            f"SetEnv HOME={self.folder / 'nobody'}",  # the account's own start-up files take no part
            f"ForceCommand {command}",
        ]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        if os.getuid() == 0:  # the server's own empty folder, which a package's start script makes
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._log = (self.folder / "sshd.log").open("wb")
        server = self._server = subprocess.Popen(
            [_SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")],
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return self
            if server.poll() is not None:
                break
            time.sleep(0.05)
        self.__exit__()
        pytest.fail("sshd did not start: " + (self.folder / "sshd.log").read_text())

    def __exit__(self, *exc: object) -> None:
        """Stop the server and whatever runs in its sessions."""
        if self._server is not None:
            for child in _children(self._server.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            self._server.terminate()
            self._server.wait()
            self._log.close()

    def target(self, **changes):
        """The `SshTarget` that logs in."""
        from devices.transports.ssh import SshTarget

        settings = {
            "host": "127.0.0.1",
            "user": getpass.getuser(),
            "port": self.port,
            "identity": self.folder / "id_ed25519",
            "known_hosts": self.folder / "known_hosts",
            "config": None,
        }
        return SshTarget(**(settings | changes))

    def transport(self, name: str = "mypi", **changes):
        """An `SshTransport`, not yet connected."""
        from devices.transports.ssh import SshTransport

        names = ("python", "connect_timeout_s", "silence_s", "shell_limit_s")
        options = {key: changes.pop(key) for key in names if key in changes}
        return SshTransport(name, self.target(**changes), **options)


def _children(parent: int) -> list[int]:
    """Process ids below a process, children before their parents' own end."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    children, waiting = [], [parent]
    while waiting:
        below = parents.get(waiting.pop(), [])
        children += below
        waiting += below
    return children
