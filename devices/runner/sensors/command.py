"""Ask a board's own tool, such as ``vcgencmd``, which may not be there."""

from __future__ import annotations

import shutil
import subprocess

_TIMEOUT_S = 2.0


class Tool:
    """A program that prints a reading; found once."""

    def __init__(self, name: str) -> None:
        self._path = shutil.which(name)

    @property
    def present(self) -> bool:
        """Whether the program is on the path."""
        return self._path is not None

    def ask(self, *arguments: str) -> str | None:
        """What it prints, or None when it is absent, fails (no right to ask) or hangs."""
        if self._path is None:
            return None
        try:
            done = subprocess.run(
                [self._path, *arguments], capture_output=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
