"""Opens a checked connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.transports.ssh.failures import OfferedKey, connect_failure
from devices.transports.ssh.target import SshTarget
from eamdeploy.base.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    import asyncssh

KEEPALIVE_COUNT = 3


async def open_connection(
    target: SshTarget, *, name: str, timeout_s: float, silence_s: float, on_lost: Callable[[], None]
) -> asyncssh.SSHClientConnection:
    """Connect and log in.

    Args:
        target: where to.
        name: what the user calls the board, for messages.
        timeout_s: for the whole of connecting and logging in.
        silence_s: a board that answers nothing for so long, not even the SSH server's keepalive, is taken for gone.
        on_lost: called once when the connection ends, for whatever reason.

    Raises:
        BoardUnreachable: with the reason; host keys that are not on file are never accepted.
        MissingDependency: asyncssh is not installed.
    """
    try:
        import asyncssh
    except ImportError as error:
        raise MissingDependency.extra("asyncssh", extra="boards") from error

    key = OfferedKey()

    class Client(asyncssh.SSHClient):
        def validate_host_public_key(self, host: str, addr: str, port: int, key_: asyncssh.SSHKey) -> bool:
            # asked only for keys that are not on file: note which, and refuse
            del addr
            key.fingerprint = key_.get_fingerprint()
            key.known = _is_on_file(target, host, port)
            return False

        def connection_lost(self, exc: Exception | None) -> None:
            del exc
            on_lost()

    options: dict[str, Any] = {
        "keepalive_interval": silence_s / KEEPALIVE_COUNT,
        "keepalive_count_max": KEEPALIVE_COUNT,
    }
    if target.user is not None:
        options["username"] = target.user
    if target.port is not None:
        options["port"] = target.port
    if target.identity is not None:
        if not target.identity.is_file():
            raise UsageError("the key file is not there", where=target.identity)
        options |= {"client_keys": [str(target.identity)], "agent_path": None}
    if target.host_key is not None:
        options["known_hosts"] = f"* {target.host_key}\n".encode()
    elif target.known_hosts is not None:
        options["known_hosts"] = str(target.known_hosts)
    if target.jump is not None:
        options["tunnel"] = target.jump
    config = str(target.config) if isinstance(target.config, Path) else target.config
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncssh.connect(
                target.host, config=config, client_factory=Client, login_timeout=timeout_s, **options
            )
    except Exception as error:
        failure = connect_failure(error, name=name, target=target, key=key, limit_s=timeout_s)
        if failure is error:
            raise
        raise failure from error


def _is_on_file(target: SshTarget, host: str, port: int) -> bool:
    """Whether some other key is known for the host."""
    import asyncssh

    if target.host_key is not None:
        return True
    file = target.known_hosts or Path.home() / ".ssh" / "known_hosts"
    try:
        known = asyncssh.read_known_hosts(str(file))
        # an entry for a port other than 22 is written [host]:port; a plain one counts too, as for OpenSSH
        return bool(known.match(host, "", port)[0] or known.match(host, "", None)[0])
    except (OSError, ValueError):
        return False
