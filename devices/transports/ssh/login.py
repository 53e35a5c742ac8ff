"""What the user's SSH configuration says of a destination: user, jump hosts and keys, as OpenSSH would take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from devices.transports.ssh.target import SshTarget
from eamdeploy.base.errors import UsageError


@dataclass(frozen=True)
class Login:
    """How to log in somewhere.

    Attributes:
        user: login name.
        address: host and port that are connected to.
        jumps: the hosts to go through, in order.
        options: for asyncssh: which keys it may use.
        doubts: what is odd about keys, in words, for when the login is refused.
    """

    user: str
    address: tuple[str, int]
    jumps: tuple[SshTarget, ...]
    options: dict[str, Any]
    doubts: tuple[str, ...] = field(default=())


def read_login(target: SshTarget) -> Login:
    """Read the configuration.

    Raises:
        UsageError: the configuration or the board's own key file cannot be read; the message names the file.
    """
    import asyncssh

    config = str(target.config) if isinstance(target.config, Path) else target.config
    names: dict[str, Any] = {"username": target.user} if target.user is not None else {}
    if target.port is not None:
        names["port"] = target.port
    try:
        ssh_options = asyncssh.SSHClientConnectionOptions(host=target.host, config=config, client_keys=None, **names)
    except asyncssh.ConfigParseError as error:
        hint = f"correct it; 'ssh -G {target.host}' shows how OpenSSH reads it"
        raise UsageError("the SSH configuration cannot be read", where=target.host, why=error, hint=hint) from error
    except OSError as error:
        raise UsageError("the SSH configuration cannot be read", where=error.filename, why=error.strerror) from error
    jump = target.jump if target.jump is not None else ssh_options.tunnel
    jumps = jump.split(",") if isinstance(jump, str) and jump.lower() != "none" else []
    if target.identity is not None:
        options, doubts = _own_key(target.identity)
    else:
        options, doubts = _configured_keys(
            [str(file) for file in cast("list[str]", ssh_options.config.get("IdentityFile") or [])],
            only=bool(ssh_options.config.get("IdentitiesOnly")),
        )
    return Login(
        user=str(ssh_options.username),
        address=(str(ssh_options.host), int(ssh_options.port)),
        jumps=tuple(replace(SshTarget.parse(hop.strip()), config=target.config) for hop in jumps),
        options=options,
        doubts=tuple(doubts),
    )


def _own_key(file: Path) -> tuple[dict[str, Any], list[str]]:
    """The key file that the user named for the board; with a passphrase its place in the agent counts."""
    if not file.is_file():
        raise UsageError("the key file is not there", where=file)
    state = _state(file)
    if state == "encrypted":
        public = Path(f"{file}.pub")
        named = {"agent_identities": [str(public)]} if public.is_file() else {}
        return {"client_keys": (), **named}, [f"{file} has a passphrase: add it to the agent with: ssh-add {file}"]
    if state is not None:
        hint = "name the private key, in OpenSSH or PEM format"
        raise UsageError("the key file is no private key that can be read", where=file, why=state, hint=hint)
    return {"client_keys": [str(file)], "agent_path": None}, []


def _configured_keys(files: Sequence[str], *, only: bool) -> tuple[dict[str, Any], list[str]]:
    """The key files of the configuration. OpenSSH passes over those that are missing, unreadable or encrypted."""
    usable, doubts = [], []
    for name in files:
        file = Path(name).expanduser()
        if not file.is_file():
            doubts.append(f"{file} is not there")
            continue
        state = _state(file)
        if state is None:
            usable.append(str(file))
        elif state == "encrypted":
            doubts.append(f"{file} has a passphrase: add it to the agent with: ssh-add {file}")
        elif file.suffix != ".pub":
            doubts.append(f"{file} cannot be read ({state})")
    options: dict[str, Any] = {}
    if files:
        # an empty list would mean the default keys, and None no key and no agent either
        options["client_keys"] = usable or [_no_key()]
        public = [Path(name).expanduser() for name in files]
        listed = [str(file if file.suffix == ".pub" else f"{file}.pub") for file in public]
        if only:
            options["agent_identities"] = [name for name in listed if Path(name).is_file()] or usable
    return options, doubts


def _no_key() -> Any:
    """A key that no server knows: it stands for "none of these" where asyncssh would take its defaults."""
    import asyncssh

    return asyncssh.generate_private_key("ssh-ed25519")


def _state(file: Path) -> str | None:
    """None for a private key that can be used, ``encrypted``, or why it cannot be read."""
    import asyncssh

    try:
        asyncssh.read_private_key(file)
    except asyncssh.KeyImportError as error:
        text = str(error)
        return "encrypted" if "passphrase" in text.lower() or "bcrypt" in text.lower() else text
    except asyncssh.KeyEncryptionError:
        return "encrypted"
    except OSError as error:
        return str(error.strerror)
    return None
