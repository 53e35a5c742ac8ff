"""What a board answers, told apart from whatever its login shell prints around it.

SSH knows only strings, which the login shell of the account interprets, and that may be bash, fish or tcsh, with start-up
files that greet, colour or ask. So what is sent consists of characters that mean the same to each of them, and starts a
POSIX shell in place of the login shell; what comes back stands between two lines that nobody else can write.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

# every byte of the script outside of these travels as an octal number: quotes, line ends and backslashes are where
# shells differ, and "!" is history to a csh
_PLAIN = frozenset(b'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _@%+=:,./-()[]{}<>|;&*?#~^"$')
_SAID_BYTES = 4000
# a start-up file may have lost the path to all programs, or stand in a folder that is gone
_USABLE = 'export PATH="${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"; [ -d "$(pwd -P 2>&-)" ] || cd /'


@dataclass(frozen=True)
class Frame:
    """The two lines around one command's output.

    Attributes:
        mark: what both begin with; new for every command.
        variables: ``NAME=value``, which the command's environment holds before the first line is printed: whoever has
            read that line may count on them.
    """

    mark: str = field(default_factory=lambda: f"@eamdeploy-frame-{secrets.token_hex(8)}")
    variables: tuple[str, ...] = ()

    @property
    def start(self) -> bytes:
        """What ends whatever the login shell printed before, on standard output; the process id follows it."""
        return f"{self.mark} begins\n".encode()

    @property
    def errors_start(self) -> bytes:
        """The same of standard error; another line, as a start-up file may send both the same way."""
        return f"{self.mark} errors\n".encode()

    def noise(self, before: bytes) -> bytes:
        """What the login shell printed, of all up to and with the first line."""
        return before.removesuffix(self.start).replace(self.errors_start, b"")

    def command(self, argv: Sequence[str]) -> str:
        """A command whose output ends with a second line, which holds its exit status."""
        end = f"s=$?; printf '\\n%s %d\\n' {self.mark} $s; exit $s"
        return self._wrapped(f"{self._begin}; {shlex.join(argv)}; {end}")

    def stream(self, argv: Sequence[str]) -> str:
        """A command that takes the shell's place after the first line, and lives as long as its channel."""
        return self._wrapped(f"{self._begin}; exec {shlex.join(argv)}")

    def own_errors(self, errors: bytes) -> bytes:
        """Standard error without what stands before the frame."""
        _, separator, own_errors = errors.partition(self.errors_start)
        return own_errors if separator else errors

    @property
    def _begin(self) -> str:
        lines = f"printf '%s errors\\n' {self.mark} >&2; printf '%s begins\\n' {self.mark}; echo $$"
        return f"{_USABLE}; {lines}"

    def _wrapped(self, script: str) -> str:
        environment = "".join(f"{variable} " for variable in self.variables)
        shell = f"/usr/bin/env {environment}/bin/sh" if environment else "/bin/sh"
        return f"exec {shell} -c 'eval \"$(printf %b \"$1\")\"' sh '{_coded(script)}'"

    def split(self, output: bytes) -> tuple[bytes, int | None, bytes]:
        """The command's own output, its exit status, and what was printed after it.

        Args:
            output: what came after the first line.

        Returns:
            The status is None when the second line never came.
        """
        payload, separator, rest = output.rpartition(f"\n{self.mark} ".encode())
        if not separator:
            return output, None, b""
        status, _, noise = rest.partition(b"\n")
        return (payload, int(status), noise) if status.isdigit() else (output, None, b"")


@dataclass
class Noise:
    """What a login shell printed around the answers; kept to be mentioned once, never used."""

    content: bytes = b""

    def add(self, text: bytes) -> bool:
        """Keep it; True for the first that there is."""
        first = not self.content
        if text.strip() and first:
            self.content = text.strip()[:_SAID_BYTES]
            return True
        return False

    @property
    def text(self) -> str:
        """The first lines as text."""
        return " / ".join(
            line.strip() for line in self.content.decode(errors="replace").splitlines()[:3] if line.strip()
        )


def _coded(script: str) -> str:
    return "".join(chr(byte) if byte in _PLAIN else f"\\0{byte:03o}" for byte in script.encode())
