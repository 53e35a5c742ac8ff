"""Files appear whole or not at all: written beside their name, then moved with ``os.replace``."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from eamdeploy.base.errors import UsageError

_UNFINISHED: dict[Path, Sequence[str]] = {}  # temporary files of this process, with their companions


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
        if target.exists() and not target.is_file() and not target.is_dir():
            # a rename would put a file in the place of a device, such as /dev/null, or of a pipe
            raise OSError(errno.EINVAL, "it is there and is not a file", str(target))
        target.parent.mkdir(parents=True, exist_ok=True)
        _UNFINISHED[temporary] = companions
        yield temporary
        for suffix in companions:
            if temporary.with_suffix(suffix).exists():
                os.replace(temporary.with_suffix(suffix), target.with_suffix(suffix))
        os.replace(temporary, target)
    except OSError as error:
        _remove(temporary, companions)
        hint = "choose another name" if error.errno == errno.EINVAL else "free some space or choose another folder"
        raise UsageError("cannot write the file", where=target, why=error.strerror or error, hint=hint) from error
    except BaseException:
        _remove(temporary, companions)
        raise
    finally:
        _UNFINISHED.pop(temporary, None)


def remove_unfinished() -> None:
    """Remove every temporary file of this process: for one that ends without unwinding."""
    for temporary, companions in list(_UNFINISHED.items()):
        with contextlib.suppress(OSError):
            _remove(temporary, companions)


def ordinary(path: Path | str) -> Path:
    """The path, unless it is there and is no ordinary file: opening a named pipe would wait for ever.

    Raises:
        OSError: it is something else.
    """
    source = Path(path)
    if source.exists() and not source.is_file() and not source.is_dir():
        raise OSError(errno.EINVAL, "it is not a file", str(source))
    return source


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the folder for oneself while a file in it is read, changed and written; the folder is made if need be.

    The lock is the kernel's, on the folder itself: no file is left behind, and it ends with the process.

    Raises:
        UsageError: when the folder cannot be made or opened.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UsageError("cannot use the folder", where=folder, why=error.strerror) from error
    try:
        with contextlib.suppress(OSError):  # a file system without locks, such as some network ones
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def private_folder(folder: Path) -> Path:
    """The folder, made if need be so that only its user reads it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _remove(path: Path, companions: Sequence[str]) -> None:
    for file in (path, *(path.with_suffix(suffix) for suffix in companions)):
        file.unlink(missing_ok=True)


def atomic_write_bytes(path: Path | str, content: bytes, *, private: bool = False) -> None:
    """Write ``content`` to ``path``, whole or not at all; a ``private`` file is read by its user alone."""
    with atomic_path(path) as temporary, _created(temporary, private=private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def atomic_write_text(path: Path | str, text: str, *, private: bool = False) -> None:
    """Write ``text`` as UTF-8 to ``path``, whole or not at all; a ``private`` file is read by its user alone."""
    atomic_write_bytes(path, text.encode("utf-8"), private=private)


def _created(path: Path, *, private: bool) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666), "wb")
