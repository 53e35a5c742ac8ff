"""Keeps LiteRT's greeting off the user's standard error; everything else that is written there passes."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator

# LiteRT has no way to set the level of its log, in Python or in C. These are said of every file that is loaded.
_GREETINGS = (
    b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
    b"INFO: Initialized TensorFlow Lite runtime.",
)
_STDERR = 2
_lock = threading.Lock()
_passing = False


def pass_everything() -> None:
    """From now on nothing is held back: for a process whose standard error is read only when it has crashed."""
    global _passing
    _passing = True


@contextlib.contextmanager
def greetings_dropped() -> Iterator[None]:
    """Hold back what this process writes to file descriptor 2, and let it out at the end without the greetings.

    A file rather than a pipe: LiteRT holds the interpreter's lock while it writes, so nobody here could empty a pipe.
    """
    if _passing:
        yield
        return
    with _lock, tempfile.TemporaryFile(prefix="eamdeploy-") as held:
        try:
            before = os.dup(_STDERR)
        except OSError:  # it is closed: nobody reads it
            yield
            return
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(before, _STDERR)
            os.close(before)
            held.seek(0)
            _let_out(held.read())


def _let_out(said: bytes) -> None:
    rest = b"".join(line for line in said.splitlines(keepends=True) if line.strip() not in _GREETINGS)
    with contextlib.suppress(OSError):
        while rest:
            rest = rest[os.write(_STDERR, rest) :]
