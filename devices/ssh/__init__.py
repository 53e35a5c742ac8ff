"""Boards over SSH: strict host keys, the user's agent and ``~/.ssh/config``, jump hosts, keepalive."""

from devices.ssh.target import SshTarget
from devices.ssh.transport import SshTransport

__all__ = ["SshTarget", "SshTransport"]
