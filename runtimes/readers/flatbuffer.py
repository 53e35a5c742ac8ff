"""Read FlatBuffers (https://flatbuffers.dev/internals/) with the standard library alone; field numbers are a schema's."""

from __future__ import annotations

import struct


def root_table(data: bytes) -> FlatbufferTable:
    """The table that a buffer begins with."""
    return FlatbufferTable(data, struct.unpack_from("<I", data)[0])


class FlatbufferTable:
    """A FlatBuffers table at a position."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data, self._position = data, position
        self._vtable = position - struct.unpack_from("<i", data, position)[0]
        self._size = struct.unpack_from("<H", data, self._vtable)[0]

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A scalar field."""
        at = self._at(field)
        return default if at is None else int(struct.unpack_from("<" + kind, self._data, at)[0])

    def table(self, field: int) -> FlatbufferTable | None:
        """A table field."""
        at = self._at(field)
        return None if at is None else FlatbufferTable(self._data, self._follow(at))

    def tables(self, field: int) -> list[FlatbufferTable]:
        """A vector of tables."""
        start, count = self._vector(field)
        return [FlatbufferTable(self._data, self._follow(start + 4 * index)) for index in range(count)]

    def integers(self, field: int) -> tuple[int, ...]:
        """A vector of 32-bit integers."""
        start, count = self._vector(field)
        return struct.unpack_from(f"<{count}i", self._data, start)

    def text(self, field: int) -> str:
        """A string field, empty where it is left out."""
        at = self._at(field)
        return "" if at is None else self._string(self._follow(at))

    def texts(self, field: int) -> tuple[str, ...]:
        """A vector of strings."""
        start, count = self._vector(field)
        return tuple(self._string(self._follow(start + 4 * index)) for index in range(count))

    def length(self, field: int) -> int:
        """The length of a vector."""
        return self._vector(field)[1]

    def _at(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry >= self._size:
            return None
        offset = struct.unpack_from("<H", self._data, self._vtable + entry)[0]
        return self._position + offset if offset else None

    def _follow(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self._data, at)[0])

    def _vector(self, field: int) -> tuple[int, int]:
        at = self._at(field)
        if at is None:
            return 0, 0
        start = self._follow(at)
        return start + 4, int(struct.unpack_from("<I", self._data, start)[0])

    def _string(self, start: int) -> str:
        size = int(struct.unpack_from("<I", self._data, start)[0])
        return self._data[start + 4 : start + 4 + size].decode("utf-8", "replace")
