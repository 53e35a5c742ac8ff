"""Fetches a board's host key so that it can be compared with a fingerprint the user read on the board itself."""

from __future__ import annotations

import asyncio

from devices.transports.ssh.failures import OfferedKey, connect_failure
from devices.transports.ssh.login import read_login
from devices.transports.ssh.target import SshTarget
from eamdeploy.base.errors import BoardUnreachable, MissingDependency, UsageError

# a server has one key per kind; which one the user looked at isn't known
_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")


async def fetch_host_key(target: SshTarget, fingerprint: str, *, name: str, timeout_s: float = 15.0) -> str:
    """The board's host key with this fingerprint, as ``ssh-ed25519 AAAA…``.

    Args:
        target: where the board is.
        fingerprint: ``SHA256:…`` as ``ssh-keygen -l`` prints it on the board.
        name: what the user calls the board.
        timeout_s: for each kind of key.

    Raises:
        UsageError: it is no such fingerprint.
        BoardUnreachable: the board cannot be reached, or shows other keys.
    """
    try:
        import asyncssh
    except ImportError as error:
        raise MissingDependency.extra("asyncssh", extra="boards") from error

    if not fingerprint.startswith("SHA256:"):
        raise UsageError(
            f"'{fingerprint}' is no fingerprint", hint="it begins with SHA256:, as ssh-keygen -l prints it on the board"
        )
    read_login(target)  # a configuration that cannot be read is said as that
    host_keys: list[str] = []
    loss: asyncssh.ConnectionLost | None = None
    for kind in _KINDS:
        try:
            async with asyncio.timeout(timeout_s):
                key = await asyncssh.get_server_host_key(
                    target.host,
                    target.port or (),
                    tunnel=target.jump or (),
                    server_host_key_algs=[kind],
                    config=target.config if target.config in ((), None) else str(target.config),
                )
        except asyncssh.KeyExchangeFailed:  # no key of this kind
            continue
        except asyncssh.ConnectionLost as error:
            # a server may hang up before its refusal of this kind arrives; the other kinds tell
            loss = error
            continue
        except (OSError, asyncssh.Error, TimeoutError) as error:
            raise connect_failure(error, name=name, target=target, key=OfferedKey(), limit_s=timeout_s) from error
        if key is None:
            continue
        if key.get_fingerprint() == fingerprint:
            return key.export_public_key("openssh").decode().strip()
        host_keys.append(key.get_fingerprint())
    if loss is not None and not host_keys:
        raise connect_failure(loss, name=name, target=target, key=OfferedKey(), limit_s=timeout_s) from loss
    raise BoardUnreachable(
        "the board does not show that host key",
        where=f"{name}, {target}",
        why=f"it shows {', '.join(host_keys) or 'none'}",
        hint="compare on the board itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
    )
