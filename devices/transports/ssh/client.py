"""Opens a checked connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.transports.ssh.failures import OfferedKey, connect_failure
from devices.transports.ssh.login import Login, read_login
from devices.transports.ssh.target import SshTarget
from eamdeploy.base.errors import MissingDependency

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
        import asyncssh  # noqa: F401 - said here in words, before anything uses it
    except ImportError as error:
        raise MissingDependency.extra("asyncssh", extra="boards") from error

    login = read_login(target)
    try:
        async with asyncio.timeout(timeout_s), contextlib.AsyncExitStack() as opened:
            tunnel: asyncssh.SSHClientConnection | None = None
            for hop in login.jumps:
                tunnel = await _one(
                    hop, read_login(hop), name=f"jump host {hop.host}", tunnel=tunnel, timeout_s=timeout_s
                )
                opened.callback(tunnel.abort)
            connection = await _one(
                target, login, name=name, tunnel=tunnel, timeout_s=timeout_s, silence_s=silence_s, on_lost=on_lost
            )
            if tunnel is not None:
                connection.set_tunnel(tunnel)
            opened.pop_all()
            return connection
    except TimeoutError as error:
        raise connect_failure(error, name=name, target=target, key=OfferedKey(), limit_s=timeout_s) from error


async def _one(
    target: SshTarget,
    login: Login,
    *,
    name: str,
    tunnel: asyncssh.SSHClientConnection | None,
    timeout_s: float,
    silence_s: float | None = None,
    on_lost: Callable[[], None] = lambda: None,
) -> asyncssh.SSHClientConnection:
    """One hop, or the board behind the last of them."""
    import asyncssh

    key = OfferedKey()

    class Client(asyncssh.SSHClient):
        def validate_host_public_key(self, host: str, addr: str, port: int, key_: asyncssh.SSHKey) -> bool:
            # asked only for keys that are not on file: note which, and refuse
            del addr
            key.fingerprint = key_.get_fingerprint()
            key.is_on_file = _is_on_file(target, host, port)
            return False

        def connection_lost(self, exc: Exception | None) -> None:
            del exc
            on_lost()

    options: dict[str, Any] = {**login.options, "username": login.user, "port": login.address[1], "tunnel": tunnel}
    if silence_s is not None:
        options |= {"keepalive_interval": silence_s / KEEPALIVE_COUNT, "keepalive_count_max": KEEPALIVE_COUNT}
    if target.host_key is not None:
        options["known_hosts"] = f"* {target.host_key}\n".encode()
    elif target.known_hosts is not None:
        options["known_hosts"] = str(target.known_hosts)
    config = str(target.config) if isinstance(target.config, Path) else target.config
    try:
        return await asyncssh.connect(
            target.host, config=config, client_factory=Client, login_timeout=timeout_s, **options
        )
    except TimeoutError:
        raise
    except Exception as error:
        behind = str(tunnel.get_extra_info("peername")[0]) if tunnel is not None else None
        failure = connect_failure(
            error, name=name, target=target, key=key, limit_s=timeout_s, login=login, behind=behind
        )
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
        known_hosts = asyncssh.read_known_hosts(str(file))
        # an entry for a port other than 22 is written [host]:port; a plain one counts too, as for OpenSSH
        return bool(known_hosts.match(host, "", port)[0] or known_hosts.match(host, "", None)[0])
    except (OSError, ValueError):
        return False
