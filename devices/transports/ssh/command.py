"""One command on a board, from the login shell's first word to its exit status."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from devices.transports.limits import OUTPUT_BYTES
from devices.transports.protocol import CompletedCommand
from devices.transports.ssh import login_shell
from devices.transports.ssh.ending import Ending
from devices.transports.ssh.failures import lost
from devices.transports.ssh.frames import Frame, Noise
from eamdeploy.base.errors import EamdeployError, MeasurementError
from eamdeploy.base.progress import Progress

if TYPE_CHECKING:
    import asyncssh


_SAID_BYTES = 4000
_PIECE_BYTES = 1 << 16
_NUMBER_BYTES = 32
_EOF_WAIT_S = 1.0  # for what a shell does once its input is closed


class SshCommand:
    """A command in its frame.

    Attributes:
        process_id: of the command on the board, which leads its process group there; None before it began.

    Args:
        argv: the arguments.
        program: what is run, for messages.
        name: the board.
        target: where it is.
        noise: takes what the login shell prints around the answer.
        progress: receives once that it prints something.
        variables: ``NAME=value``, of its environment.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        program: str,
        name: str,
        target: object,
        noise: Noise,
        progress: Progress,
        variables: tuple[str, ...] = (),
    ) -> None:
        self.argv, self.program, self.frame = list(argv), program, Frame(variables=variables)
        self.process_id: int | None = None
        self._name, self._target, self._noise, self._progress, self._limit_s = name, target, noise, progress, 0.0

    async def begin(
        self, process: asyncssh.SSHClientProcess[bytes], is_lost: Callable[[], bool], limit_s: float
    ) -> None:
        """Wait for the first line of the frame; nothing may be sent before, or the login shell would read it.

        Args:
            process: in which the login shell runs.
            is_lost: whether its connection is.
            limit_s: how long the login shell may take to start the command.

        Raises:
            BoardUnreachable: the link was lost, or the login shell hangs.
            MissingDependency: the account runs no commands.
        """
        import asyncssh

        self._limit_s = limit_s
        reading = asyncio.create_task(process.stdout.readuntil(self.frame.start))
        try:
            done, _ = await asyncio.wait({reading}, timeout=self._limit_s)
            if not done:
                raise await self._hanging(process, reading)
            self._report_noise(self.frame.noise(reading.result()))
            self.process_id = await self._told_process_id(process)
        except asyncio.IncompleteReadError as error:
            noise_bytes = error.partial
            with contextlib.suppress(TimeoutError):  # the output has ended, and nothing says that the rest does
                async with asyncio.timeout(_EOF_WAIT_S):
                    await process.wait_closed()
                    noise_bytes += await process.stderr.read(_SAID_BYTES)
            if process.returncode is None and is_lost():
                raise self._lost() from error
            raise login_shell.refuses(self._where, _text(noise_bytes), process.returncode) from error
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error
        finally:
            reading.cancel()

    async def finish(self, process: asyncssh.SSHClientProcess[bytes]) -> CompletedCommand:
        """Wait for the end.

        Raises:
            BoardUnreachable: the link was lost.
            MeasurementError: it talks without end.
        """
        import asyncssh

        try:
            ending = Ending(process)
            stdout, stderr, _ = await asyncio.gather(
                self._all_of(process.stdout, ending), self._all_of(process.stderr, ending), ending.wait()
            )
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error
        output, status, after = self.frame.split(stdout)
        if status is None:
            status = process.returncode
        if status is None:  # asyncssh returns normally when the link drops; only the missing status shows it
            raise self._lost()
        self._report_noise(after)
        return CompletedCommand(status, output, self.frame.own_errors(stderr))

    async def _told_process_id(self, process: asyncssh.SSHClientProcess[bytes]) -> int:
        why = f"no process id within {self._limit_s:g} s"
        with contextlib.suppress(TimeoutError, ValueError):
            async with asyncio.timeout(self._limit_s):
                line = (await process.stdout.readline())[:_NUMBER_BYTES]
                why = f"{_text(line)!r} is no process id"
                return int(line)
        process.close()
        raise MeasurementError("the board's shell does not answer as one", where=self._where, why=why)

    async def _all_of(self, reader: asyncssh.SSHReader[bytes], ending: Ending) -> bytes:
        pieces, size = [], 0
        while piece := await reader.read(_PIECE_BYTES):
            ending.note_output()
            pieces.append(piece)
            size += len(piece)
            if size > OUTPUT_BYTES:
                why = f"'{self.program}' wrote more than {OUTPUT_BYTES:,} bytes"
                raise MeasurementError("the board's answer is too long", where=self._where, why=why)
        return b"".join(pieces)

    async def _hanging(self, process: asyncssh.SSHClientProcess[bytes], reading: asyncio.Task[bytes]) -> EamdeployError:
        """Why the command did not start: the end of the input tells a question from a shell that took over."""
        with contextlib.suppress(OSError):
            process.stdin.write_eof()
        await asyncio.wait({reading}, timeout=_EOF_WAIT_S)
        started = ended = False
        noise_bytes = b""
        if reading.done():
            try:
                noise_bytes, started = self.frame.noise(reading.result()), True
            except asyncio.IncompleteReadError as error:
                noise_bytes, ended = error.partial, True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                # after the end of its input it may have begun the command: what follows the mark is not the shell's
                noise_bytes += (await process.stderr.read(_SAID_BYTES)).partition(self.frame.errors_start)[0]
        with contextlib.suppress(OSError):
            process.kill()
        process.close()
        if started or ended:
            return login_shell.waits_for_input(self._where, _text(noise_bytes), ended=ended, limit_s=self._limit_s)
        return login_shell.is_silent(self._where, _text(noise_bytes), limit_s=self._limit_s)

    def _report_noise(self, noise_bytes: bytes) -> None:
        if self._noise.add(noise_bytes):
            self._progress.stage(f"the login shell prints something of its own, which is left out: {self._noise.text}")

    @property
    def _where(self) -> str:
        return f"{self._name}, {self._target}"

    def _lost(self, why: object | None = None) -> EamdeployError:
        return lost(self._name, self._target, "while it was in use", why)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
