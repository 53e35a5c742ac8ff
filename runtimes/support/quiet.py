"""Keeps LiteRT's and MNN's greetings off the user's standard error; everything else that is written there passes."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

# Neither has a way to set the level of its log. These are the beginnings of what is said of every file that is loaded.
_GREETINGS = (
    b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
    b"INFO: Initialized TensorFlow Lite runtime.",
    b"The device supports: i8sdot:",
    b"MNN use high precision",
    b"MNN use low precision",
)
_STDERR = 2
_lock = threading.Lock()
_passing = False


def pass_everything() -> None:
    """From now on nothing is held back: for a process whose standard error is read only when it has crashed."""
    global _passing
    _passing = True


@contextlib.contextmanager
def greetings_dropped(descriptors: tuple[int, ...] = (_STDERR,)) -> Iterator[None]:
    """Hold back what this process writes to file descriptor 2, and let it out at the end without the greetings.

    Files rather than pipes: LiteRT holds the interpreter's lock while it writes, so nobody here could empty a pipe. MNN
    writes to descriptor 1 as well, through C's buffer.
    """
    if _passing:
        yield
        return
    with _lock, contextlib.ExitStack() as stack:
        for descriptor in descriptors:
            stack.enter_context(_capture(descriptor))
        yield


@contextlib.contextmanager
def _capture(descriptor: int) -> Iterator[None]:
    with tempfile.TemporaryFile(prefix="eamdeploy-") as capture_file:
        try:
            before = os.dup(descriptor)
        except OSError:  # it is closed: nobody reads it
            yield
            return
        _flush(descriptor)
        os.dup2(capture_file.fileno(), descriptor)
        try:
            yield
        finally:
            _flush(descriptor)
            os.dup2(before, descriptor)
            os.close(before)
            capture_file.seek(0)
            _let_out(descriptor, capture_file.read())


def _flush(descriptor: int) -> None:
    """Empty the buffers of Python and of C, so that what was written before goes where it was meant to go."""
    if descriptor != _STDERR:
        with contextlib.suppress(AttributeError, ValueError, OSError):
            sys.stdout.flush()
        with contextlib.suppress(AttributeError, OSError, ImportError):  # a Python may be built without ctypes
            import ctypes

            ctypes.CDLL(None).fflush(None)


def _let_out(descriptor: int, output_bytes: bytes) -> None:
    rest = b"".join(line for line in output_bytes.splitlines(keepends=True) if not line.strip().startswith(_GREETINGS))
    with contextlib.suppress(OSError):
        while rest:
            rest = rest[os.write(descriptor, rest) :]
