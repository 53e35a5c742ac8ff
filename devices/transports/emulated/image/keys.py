"""The emulated board's own host key and the key to log in with, made anew for each image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base.errors import MissingDependency

_ALGORITHM = "ssh-ed25519"


@dataclass(frozen=True)
class BoardKeys:
    """OpenSSH texts of both key pairs."""

    host_private: str
    host_public: str
    client_private: str
    client_public: str


def generate_keys() -> BoardKeys:
    """Make both pairs.

    Raises:
        MissingDependency: asyncssh is not installed.
    """
    try:
        import asyncssh
    except ImportError as error:
        raise MissingDependency.extra("asyncssh", extra="boards") from error
    host, client = (asyncssh.generate_private_key(_ALGORITHM) for _ in range(2))
    return BoardKeys(
        host_private=host.export_private_key("openssh").decode(),
        host_public=host.export_public_key("openssh").decode().strip(),
        client_private=client.export_private_key("openssh").decode(),
        client_public=client.export_public_key("openssh").decode(),
    )


def write_known_hosts(path: Path, host_public: str, *, port: int) -> None:
    """Pin the board's key for the port it listens on."""
    path.write_text(f"[127.0.0.1]:{port} {host_public}\n", encoding="ascii")
