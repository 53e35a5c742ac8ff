"""SSH sessions without manners: what the other end of a wire may do instead of answering."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

from tests.devices.board_server import ServedSession

_MARK = re.compile(r"@eamdeploy-frame-[0-9a-f]{16}")
ERRORS, END, HANG_UP, EXIT = object(), object(), object(), object()
Part = bytes | float | object
Manner = Callable[[bytes, bytes], AsyncIterator[Part]]


async def _silent(_start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield 600.0


async def _talks_before(_start: bytes, _end: bytes) -> AsyncIterator[Part]:
    while True:
        yield b"Welcome! " * 5000
        yield 0.05


async def _no_process_id(start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield start
    yield 600.0


async def _a_word_for_a_process_id(start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield start + b"me\n"
    yield 600.0


async def _a_long_process_id(start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield start
    while True:
        yield b"1" * 60_000
        yield 0.05


async def _never_ends(start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield start + b"4711\n"
    yield 600.0


async def _talks_without_end(start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield start + b"4711\n"
    while True:
        yield b"blah" * 16_000
        yield 0.05


async def _complains_without_end(start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield start + b"4711\n"
    while True:
        yield (ERRORS, b"oh no! " * 9_000)
        yield 0.05


async def _ends_before(_start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield EXIT


async def _ends_its_output_only(_start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield END
    yield 600.0


async def _half_a_frame(start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield start[:-8]
    yield END
    yield 600.0


async def _hangs_up_before(_start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield HANG_UP


async def _hangs_up_in_the_middle(start: bytes, _end: bytes) -> AsyncIterator[Part]:
    yield start + b"4711\nmachine=aar"
    yield HANG_UP


async def _says_another_status(start: bytes, end: bytes) -> AsyncIterator[Part]:
    yield start + b"4711\n" + end + b"\xff\xfe\x1b[2J\n"
    yield END
    yield 600.0


async def _says_nothing_and_ends_well(start: bytes, end: bytes) -> AsyncIterator[Part]:
    yield start + b"4711\n\x1b]0;owned\x07\n" + end + b"0\n"
    yield EXIT


async def _says_something_else(start: bytes, end: bytes) -> AsyncIterator[Part]:
    yield start + b'4711\n/\n@eamdeploy {"event": "building"}\n@eamdeploy [[[\n' + end + b"0\n"
    yield EXIT


async def _fails_with_escapes(start: bytes, end: bytes) -> AsyncIterator[Part]:
    yield (ERRORS, start + b"\x1b[31m::error::\nbad\r")
    yield start + b"4711\n" + end + b"3\n"
    yield EXIT


MANNERS: dict[str, Manner] = {
    function.__name__.strip("_").replace("_", " "): function
    for function in (
        _silent, _talks_before, _no_process_id, _a_word_for_a_process_id, _a_long_process_id, _never_ends,
        _talks_without_end, _complains_without_end, _ends_before, _ends_its_output_only, _half_a_frame,
        _hangs_up_before, _hangs_up_in_the_middle, _says_another_status, _says_nothing_and_ends_well,
        _says_something_else, _fails_with_escapes,
    )
}  # fmt: skip


def rude(manner: Manner) -> type[ServedSession]:
    """A session that behaves so."""

    class Rude(ServedSession):
        async def run(self) -> None:
            mark = _MARK.findall(self.command)[0]
            async for part in manner(f"{mark} begins\n".encode(), f"\n{mark} ".encode()):
                if isinstance(part, float):
                    await asyncio.sleep(part)
                elif isinstance(part, bytes):
                    self.chan.write(part)
                elif isinstance(part, tuple):
                    self.chan.write(part[1], 1)
                elif part is END:
                    self.chan.write_eof()
                elif part is HANG_UP:
                    self.board.cut()
                elif part is EXIT:
                    self.chan.exit(0)

        def data_received(self, data: bytes, datatype: int | None) -> None:
            pass

        def eof_received(self) -> bool:
            return True

        def connection_lost(self, exc: Exception | None) -> None:
            for task in self.tasks:
                task.cancel()

    return Rude
