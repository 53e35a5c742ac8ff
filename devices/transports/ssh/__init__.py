"""Boards over SSH: strict host keys, the user's agent and ``~/.ssh/config``, jump hosts, keepalive."""

from devices.transports.ssh.target import SshTarget
from devices.transports.ssh.transport import SshTransport

__all__ = ["SshTarget", "SshTransport"]
