"""The edge between the host and a board: run a command, stream one, move files.

Everything that the measuring side does to a board goes through `Transport`, so that this machine, a board over SSH, an
emulated board and a test's in-memory board are the same thing to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# in the environment of everything that runs for a job: what is left of a dead one is found by it
JOB_VARIABLE = "EAMDEPLOY_JOB"


@dataclass(frozen=True)
class CompletedCommand:
    """What a command on the board left behind.

    Attributes:
        exit_status: as the shell would show it; negative or above 128 when a signal ended it.
        stdout: everything it wrote there.
        stderr: everything it wrote there.
    """

    exit_status: int
    stdout: bytes
    stderr: bytes

    @property
    def ok(self) -> bool:
        """Whether the command ended with status 0."""
        return self.exit_status == 0

    @property
    def text(self) -> str:
        """Standard output as text, stripped; undecodable bytes are replaced."""
        return self.stdout.decode(errors="replace").strip()

    @property
    def error_text(self) -> str:
        """Standard error as text, stripped; undecodable bytes are replaced."""
        return self.stderr.decode(errors="replace").strip()


class Stream(Protocol):
    """A command that is running on the board, with its standard input open.

    Iterating yields the lines of its standard output, without line ends, undecodable bytes replaced; the iteration
    ends when the command closes its output and raises `BoardUnreachable` when the link is lost before that.
    """

    def __aiter__(self) -> AsyncIterator[str]:
        """Lines of standard output."""
        ...

    async def send(self, line: str) -> None:
        """Write one line to its standard input.

        Raises:
            BoardUnreachable: the link, or the command, is gone.
        """
        ...

    async def wait(self) -> int:
        """Close its standard input, wait for its end and return the exit status (negative: a signal).

        Raises:
            BoardUnreachable: the link was lost before the command ended.
        """
        ...

    async def kill(self) -> None:
        """End the command and everything it started; never raises, and does nothing to one that has ended."""
        ...

    @property
    def stderr_tail(self) -> str:
        """The last lines that it wrote to standard error."""
        ...


class Transport(Protocol):
    """A way to a board.

    Commands are argument lists, never shell strings; where the protocol below wants a string (SSH), each argument is
    quoted there. Every method raises `BoardUnreachable` when the board cannot be reached or the link is lost.

    Attributes:
        name: the board's name, as the user knows it.
        python: the argument list that starts the board's Python, isolated from the home folder and PYTHONPATH:
            ``("python3", "-I")``.
    """

    name: str
    python: tuple[str, ...]

    async def connect(self) -> None:
        """Open the link; does nothing when it is open."""
        ...

    async def run(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout_s: float | None = None
    ) -> CompletedCommand:
        """Run a command to its end; a non-zero status is returned, not raised.

        Args:
            argv: the command.
            stdin: what it reads.
            timeout_s: how long it may take; `devices.transports.limits.RUN_S` when left out.

        Raises:
            BoardUnreachable: the link was lost, or the command did not end within ``timeout_s`` (it is killed).
            MeasurementError: its output is larger than `devices.transports.limits.OUTPUT_BYTES`.
        """
        ...

    async def stream(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Stream:
        """Start a command whose output is read line by line and whose input stays open.

        A command whose program does not exist may raise nothing here; its status is then 127.
        """
        ...

    async def push(self, local: Path, remote: str) -> None:
        """Copy a file to the board, replacing what is there only once it is complete.

        Raises:
            EamdeployError: the disk of the board is full or the place is read-only; no part of the file stays there.
        """
        ...

    async def pull(self, remote: str, local: Path) -> None:
        """Copy a file from the board."""
        ...

    async def remove(self, remote: str) -> None:
        """Delete a file or a folder with everything in it; one that is not there is no error."""
        ...

    async def workdir(self) -> str:
        """Make a fresh folder on the board, readable only by its user, and return its path."""
        ...

    async def close(self) -> None:
        """Close the link; never raises."""
        ...
