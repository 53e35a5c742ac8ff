"""Files appear whole or not at all: written beside their name, then moved with ``os.replace``."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from eamdeploy.base.errors import UsageError


@contextlib.contextmanager
def atomic_path(path: Path | str, *, companions: Sequence[str] = ()) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path``, on any error it is removed.

    ``companions`` are suffixes of files that are written beside it, in the place of its last suffix; they move with it.

    Raises:
        UsageError: when the folder cannot be made or written.
    """
    target = Path(path)
    # the suffix is kept: some writers choose the format by it
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        for suffix in companions:
            if temporary.with_suffix(suffix).exists():
                os.replace(temporary.with_suffix(suffix), target.with_suffix(suffix))
        os.replace(temporary, target)
    except OSError as error:
        _remove(temporary, companions)
        hint = "free some space or choose another folder"
        raise UsageError("cannot write the file", where=target, why=error.strerror or error, hint=hint) from error
    except BaseException:
        _remove(temporary, companions)
        raise


def _remove(path: Path, companions: Sequence[str]) -> None:
    for file in (path, *(path.with_suffix(suffix) for suffix in companions)):
        file.unlink(missing_ok=True)


def atomic_write_bytes(path: Path | str, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def atomic_write_text(path: Path | str, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whole or not at all."""
    atomic_write_bytes(path, text.encode("utf-8"))
