"""The few POSIX shell fragments that run on boards, each constant, each taking what varies as arguments.

Files travel through ``cat`` rather than SFTP: every board has it, a full disk is reported in words, and the size is
checked before the file gets its name, so that a link cut in the middle leaves nothing.
"""

from __future__ import annotations

import re

from devices.transports.protocol import CompletedCommand
from eamdeploy.base.errors import BoardUnreachable, EamdeployError, MissingDependency, UsageError

# what stands there under the file's names, a link above all, is replaced and never written through
_RECEIVE = """
export LC_ALL=C; umask 077
rm -f -- "$1.part" && { [ ! -h "$1" ] || rm -f -- "$1"; } || exit 1
[ ! -d "$1" ] || { echo "$1 is a folder" >&2; exit 1; }
set -C
cat > "$1.part" && size="$(wc -c < "$1.part")" && [ "${size##* }" = "$2" ] && mv -f -- "$1.part" "$1" && exit 0
[ -n "$size" ] && [ "${size##* }" != "$2" ] && echo "only ${size##* } of $2 bytes arrived" >&2
rm -f -- "$1.part"; exit 1
"""

_SEND = """
export LC_ALL=C
size="$(wc -c < "$1")" && echo "${size##* }" && exec cat -- "$1"
"""

_WORKDIR = """
export LC_ALL=C; umask 077
for base in "$1" "${TMPDIR:-/tmp}" /var/tmp "$HOME" /dev/shm; do
  [ -n "$base" ] && mktemp -d "$base/eamdeploy.XXXXXXXX" && exit 0
done
exit 1
"""
_WORKDIR_ANSWER = re.compile(r"/(?:[^\x00-\x1f\x7f]*/)?eamdeploy\.[A-Za-z0-9_]{6,}")


def receive(remote: str, size_bytes: int) -> list[str]:
    """The command that writes its standard input to ``remote`` if all ``size_bytes`` arrive."""
    return ["sh", "-c", _RECEIVE, "sh", remote, str(size_bytes)]


def send(remote: str) -> list[str]:
    """The command that prints a file's size on a line, then the file."""
    return ["sh", "-c", _SEND, "sh", remote]


def make_workdir(root: str | None) -> list[str]:
    """The command that makes a private folder, in ``root`` or where the board allows it, and prints its path."""
    return ["sh", "-c", _WORKDIR, "sh", root or ""]


def is_workdir(answer: str) -> bool:
    """Whether this is what `make_workdir` prints: later the folder is removed with everything in it."""
    return _WORKDIR_ANSWER.fullmatch(answer) is not None


def write_failure(result: CompletedCommand, *, name: str, remote: str) -> EamdeployError:
    """The error for a file that could not be written on the board."""
    error_text = result.error_text
    if "No space left" in error_text or "Disk quota exceeded" in error_text:
        return MissingDependency(
            "the board's disk is full",
            where=f"{name}:{remote}",
            hint="free some space there (df -h, df -i), then run again",
        )
    if "Read-only file system" in error_text or "Permission denied" in error_text:
        return MissingDependency(
            "nothing can be written there on the board",
            where=f"{name}:{remote}",
            why=_last_line(error_text),
            hint="make a folder writable for the login user, and name it in TMPDIR there",
        )
    if "No such file" in error_text or "nonexistent" in error_text:
        hint = "something on the board removed it, or the run there was taken for dead; try again"
        return BoardUnreachable("the run's folder on the board is gone", where=f"{name}:{remote}", hint=hint)
    return MissingDependency(
        "a file could not be written on the board", where=f"{name}:{remote}", why=_first_line(error_text)
    )


def read_failure(result: CompletedCommand, *, name: str, remote: str) -> EamdeployError:
    """The error for a file that could not be read from the board."""
    return UsageError(
        "a file could not be read from the board", where=f"{name}:{remote}", why=_last_line(result.error_text)
    )


def _first_line(text: str) -> str | None:
    lines = text.splitlines()
    return lines[0] if lines else None


def _last_line(text: str) -> str | None:
    lines = text.splitlines()
    return lines[-1] if lines else None
