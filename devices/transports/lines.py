"""Lines out of pieces: a transport hands out what it has, an answer may be longer, and a board may never end one."""

from __future__ import annotations

import re
from asyncio import StreamReader
from collections.abc import AsyncIterator

from eamdeploy.base.errors import MeasurementError

LINE_LIMIT_BYTES = 1 << 26  # the outputs of a hundred images over 100,000 classes
TAIL_LINE_CHARACTERS = 4096  # of a line on standard error
_PIECE = re.compile(rb"[^\n]*\n|[^\n]+")
_CHUNK_BYTES = 1 << 16


async def whole_lines(pieces: AsyncIterator[bytes], *, board: str) -> AsyncIterator[str]:
    """The lines that ``pieces`` make, without their ends; undecodable bytes are replaced.

    Args:
        pieces: each ends with a line's end or in the middle of a line, and holds no other line's end.
        board: its name, for the error.

    Raises:
        MeasurementError: a line is longer than :data:`LINE_LIMIT_BYTES`.
    """
    parts: list[bytes] = []
    size = 0
    async for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size > LINE_LIMIT_BYTES:
            why = f"more than {LINE_LIMIT_BYTES:,} bytes came without the end of a line"
            hint = "look at what prints on the board: its login files, or the program given as `python`"
            raise MeasurementError("the board's answer is too long", where=board, why=why, hint=hint)
        if piece.endswith(b"\n"):
            yield _text(parts)
            parts, size = [], 0
    if parts:
        yield _text(parts)


async def pieces_of(reader: StreamReader) -> AsyncIterator[bytes]:
    """What a pipe of this machine holds, as :func:`whole_lines` takes it."""
    while chunk := await reader.read(_CHUNK_BYTES):
        for piece in _PIECE.findall(chunk):
            yield piece


def _text(pieces: list[bytes]) -> str:
    return b"".join(pieces).decode(errors="replace").rstrip("\r\n")
