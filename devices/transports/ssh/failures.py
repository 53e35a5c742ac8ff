"""What asyncssh and the network raise, as one sentence a user can act on."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass

from devices.transports.ssh.login import Login
from devices.transports.ssh.target import SshTarget
from eamdeploy.base.errors import BoardUnreachable


@dataclass
class OfferedKey:
    """The host key that the board showed, filled in while connecting.

    Attributes:
        fingerprint: ``SHA256:…``, or None when the board showed none.
        is_on_file: whether another key is on file for this host, that is, whether the key changed.
    """

    fingerprint: str | None = None
    is_on_file: bool = False


def connect_failure(
    error: Exception,
    *,
    name: str,
    target: SshTarget,
    key: OfferedKey,
    limit_s: float,
    login: Login | None = None,
    behind: str | None = None,
) -> Exception:
    """The `BoardUnreachable` for a failed connection, or ``error`` itself where it is not about the connection.

    Args:
        error: what happened.
        name: the board, or the jump host: whatever is to blame.
        target: its address.
        key: what it showed.
        limit_s: how long was waited.
        login: what the configuration said of it.
        behind: the last jump host, where there is one.
    """
    import asyncssh

    where = f"{name}, {target}"
    subject = f"the {name}" if name.startswith("jump host") else "the board"
    if isinstance(error, asyncssh.ChannelOpenError) and behind is not None:
        return BoardUnreachable(
            "the jump host does not get through to the board",
            where=where,
            why=f"{behind} says: {error.reason or 'no reason'}",
            hint="check the board's address as seen from there, and AllowTcpForwarding in that host's sshd_config",
        )
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return _host_key_failure(error, name=name, where=where, key=key)
    if isinstance(error, asyncssh.PermissionDenied):
        user = login.user if login is not None else target.user or "your own name"
        doubts = f"; {'; '.join(login.doubts)}" if login is not None and login.doubts else ""
        return BoardUnreachable(
            f"{subject} refuses the login",
            where=where,
            why=f"no key or password of yours is accepted for user '{user}'{doubts}",
            hint="check the user name, and copy your key with: ssh-copy-id; a login that asks for more than that, as a code, "
            "cannot be used",
        )
    if isinstance(error, ConnectionRefusedError):
        return BoardUnreachable(
            f"{subject} refuses the connection",
            where=where,
            why="nothing listens on that port",
            hint="check the port and that the SSH server runs (on a Raspberry Pi: sudo systemctl enable --now ssh)",
        )
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return BoardUnreachable(
            f"{subject} does not answer",
            where=where,
            why=f"nothing came back within {limit_s:g} s",
            hint="check that it is switched on and on this network",
        )
    if isinstance(error, socket.gaierror):
        return BoardUnreachable(
            f"{subject}'s name is not known",
            where=where,
            why=error.strerror,
            hint="check the spelling, or use its address",
        )
    if isinstance(error, asyncssh.Error | OSError):
        hint = "check its address, and that it is switched on and on this network"
        if isinstance(error, asyncssh.DisconnectError | ConnectionResetError):
            hint = "it was reached and ended this before the login: too many logins, or no cipher in common; ssh -v shows more"
        return BoardUnreachable(f"cannot connect to {subject}", where=where, why=_reason(error), hint=hint)
    return error


def lost(name: str, target: object, during: str, why: object | None = None) -> BoardUnreachable:
    """The error for a link that was there and is gone."""
    return BoardUnreachable(
        f"the link to the board was lost {during}",
        where=f"{name}, {target}",
        why=why,
        hint="what was finished is kept; run the command again when the board is back",
    )


def _host_key_failure(error: Exception, *, name: str, where: str, key: OfferedKey) -> BoardUnreachable:
    if key.fingerprint is None:
        return BoardUnreachable("the board's host key cannot be checked", where=where, why=_reason(error))
    trust = f"eamdeploy devices trust {name} --fingerprint {key.fingerprint}"
    if key.is_on_file:
        return BoardUnreachable(
            "the board's host key is not the one on file",
            where=where,
            why=f"it now shows {key.fingerprint}: it was installed anew, or something else answers at its address",
            hint=f"compare on the board itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then: {trust}",
        )
    return BoardUnreachable(
        "the board's host key is not known",
        where=where,
        why=f"it shows {key.fingerprint} and no key is on file",
        hint=f"compare on the board itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then: {trust}",
    )


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number:  # asyncio's own text is "Connect call failed" whatever the cause
        return os.strerror(number)
    return str(getattr(error, "reason", None) or error) or type(error).__name__
