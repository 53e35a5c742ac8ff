"""Where a board is and how to log in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base.errors import UsageError

_HOST = re.compile(r"(?:(?P<user>[^@\s]+)@)?(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[\w.\-]+)(?::(?P<port>\d+))?")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:%\w+)?")
_MAX_PORT = 65535


@dataclass(frozen=True)
class SshTarget:
    """An SSH destination. Whatever is None comes from ``~/.ssh/config``, else from OpenSSH's defaults.

    Attributes:
        host: name, address, or a ``Host`` alias of the SSH configuration.
        user: login name.
        port: TCP port.
        identity: private key file; the agent and the default keys serve when it is None.
        known_hosts: file with the only host keys to accept; the user's own known_hosts when it is None.
        host_key: the only host key to accept, as ``ssh-ed25519 AAAA…``; goes before ``known_hosts``.
        jump: ``user@host:port`` to go through.
        config: SSH configuration file; an empty tuple means the user's own, None means none.
    """

    host: str
    user: str | None = None
    port: int | None = None
    identity: Path | None = None
    known_hosts: Path | None = None
    host_key: str | None = None
    jump: str | None = None
    config: Path | tuple[()] | None = ()

    @classmethod
    def parse(cls, text: str) -> SshTarget:
        """Read ``[ssh://][user@]host[:port]``; an IPv6 address with a port stands in brackets.

        Raises:
            UsageError: the text is not of this form.
        """
        plain = text.removeprefix("ssh://").rstrip("/") if text.startswith("ssh://") else text
        user, separator, host = plain.rpartition("@")
        if _BARE_IPV6.fullmatch(host):
            return cls(host=host, user=user if separator else None)
        match = _HOST.fullmatch(plain)
        if match is None or text.startswith("-"):
            raise UsageError(f"'{text}' is not a board's address", hint="write it as user@host or user@host:port")
        port = int(match["port"]) if match["port"] else None
        if port is not None and not 0 < port <= _MAX_PORT:
            raise UsageError(f"'{text}' has no valid port", hint=f"ports go from 1 to {_MAX_PORT}")
        return cls(host=match["host"].strip("[]"), user=match["user"], port=port)

    def __str__(self) -> str:
        """``user@host:port``, without what is left to the defaults."""
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return (f"{self.user}@" if self.user else "") + host + (f":{self.port}" if self.port else "")
