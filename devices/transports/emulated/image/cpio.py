"""Writes an initial RAM disk: the "newc" cpio format, as the kernel reads it.

Source: Documentation/driver-api/early-userspace/buffer-format.rst of the Linux kernel.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass

_FILE, _FOLDER, _LINK = 0o100000, 0o040000, 0o120000


@dataclass(frozen=True)
class ArchiveEntry:
    """One path: a file with ``content``, a folder, or a symbolic link to ``content``."""

    path: str
    content: bytes = b""
    mode: int = _FILE | 0o644

    @classmethod
    def folder(cls, path: str) -> ArchiveEntry:
        """A folder."""
        return cls(path, mode=_FOLDER | 0o755)

    @classmethod
    def program(cls, path: str, content: bytes) -> ArchiveEntry:
        """An executable file."""
        return cls(path, content, _FILE | 0o755)

    @classmethod
    def link(cls, path: str, target: str) -> ArchiveEntry:
        """A symbolic link."""
        return cls(path, target.encode(), _LINK | 0o777)


def initramfs(entries: list[ArchiveEntry]) -> bytes:
    """The compressed archive; the same entries give the same bytes."""
    archive = b"".join(_record(number, entry) for number, entry in enumerate(entries, start=1))
    return gzip.compress(archive + _record(0, ArchiveEntry("TRAILER!!!", mode=0)), mtime=0)


def _record(number: int, entry: ArchiveEntry) -> bytes:
    name = entry.path.encode() + b"\0"
    links, size = (2 if entry.mode & _FOLDER == _FOLDER else 1), len(entry.content)
    fields = [number, entry.mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(name), 0]
    header = b"070701" + b"".join(b"%08X" % value for value in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
