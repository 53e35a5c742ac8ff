"""Converters write to the process's own standard streams, from Python and C++; here their noise goes to a log instead."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def paused_collector() -> Iterator[None]:
    """Within the block no cyclic garbage is looked for: converters make millions of objects, and the search is a tenth of
    their time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class CapturedOutput:
    """What was written meanwhile; complete once the block is left."""

    text = ""

    def tail(self, lines: int = 3) -> str:
        """The last lines that are not blank, as one."""
        text_lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return " | ".join(text_lines[-lines:])


@contextlib.contextmanager
def captured_output() -> Iterator[CapturedOutput]:
    """Within the block file descriptors 1 and 2 lead to a temporary file, warnings are muted and so is logging below error.

    Not for use by two threads at once: the descriptors belong to the process.
    """
    captured = CapturedOutput()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, io.UnsupportedOperation):
            stream.flush()
    before = logging.root.manager.disable
    with tempfile.TemporaryFile() as file, warnings.catch_warnings():
        saved = os.dup(1), os.dup(2)
        try:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            warnings.simplefilter("ignore")
            logging.disable(max(before, logging.WARNING))
            with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
                yield captured
        finally:
            logging.disable(before)
            for descriptor, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
            file.seek(0)
            captured.text = out.getvalue() + err.getvalue() + file.read().decode("utf-8", "replace")


def root_cause(error: BaseException) -> str:
    """What a converter's error came from, in one line: converters wrap it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__
