"""The lines between host and board: JSON, marked so that a banner or a stray print can't be taken for one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

# a login banner, a .bashrc that echoes or a library that prints may share the stream
MARK = "@eamdeploy "


def encode(message: Mapping[str, Any]) -> str:
    """A message as one line, without its end."""
    return MARK + json.dumps(message, separators=(",", ":"), allow_nan=False)


def decode(line: str) -> dict[str, Any] | None:
    """The message in a line, or None when the line is somebody else's."""
    # a prompt or an echo without a line end may stand before the mark
    at = line.find(MARK)
    if at < 0:
        return None
    try:
        message = json.loads(line[at + len(MARK) :])
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def write_all(descriptor: int, line: str) -> None:
    """Write one line to a file descriptor, whole."""
    data = memoryview(line.encode() + b"\n")
    while data:
        data = data[os.write(descriptor, data) :]
