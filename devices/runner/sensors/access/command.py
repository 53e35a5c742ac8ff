"""Ask a board's own tool, such as ``vcgencmd``, which may not be there, or not for this user."""

from __future__ import annotations

import os
import shutil
import subprocess

_TIMEOUT_S = 2.0
# what a refusal looks like (13 is the number of "permission denied"), and the device whose group opens it
_REFUSED = (
    "permission denied",
    "can't open device file",
    "vchi initialization failed",
    "operation not permitted",
    ": 13\n",
)
_RIGHTS = {
    "vcgencmd": "the user is not in group 'video': sudo usermod -aG video $USER, then log in again",
    "nvpmodel": "it needs root there: allow it in sudoers, or run it once as root",
    "tegrastats": "it needs root there, or a rule for /dev/nvhost*",
}
_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin", "/opt/vc/bin")


class Tool:
    """A program that prints a reading; found once.

    Attributes:
        problem: why the last question had no answer, in words; None when it had one.
    """

    def __init__(self, name: str) -> None:
        # a session without a login has a short path, and some of these stand where only root looks
        self._path = shutil.which(name) or (
            None if _only_path() else shutil.which(name, path=os.pathsep.join(_FOLDERS))
        )
        self._name = name
        self.problem: str | None = None

    @property
    def present(self) -> bool:
        """Whether the program is there."""
        return self._path is not None

    def ask(self, *arguments: str) -> str | None:
        """What it prints, or None when it is absent, refuses, fails or hangs."""
        self.problem = None
        if self._path is None:
            return None
        command_line = " ".join((self._name, *arguments))
        try:
            done = subprocess.run(  # noqa: TID251 - on the board; a program found on its path
                [self._path, *arguments], capture_output=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            self.problem = f"'{command_line}' does not answer"
            return None
        except OSError as error:
            self.problem = f"'{command_line}' cannot be run: {error.strerror}"
            return None
        output_text = (done.stdout + b"\n" + done.stderr).decode(errors="replace").strip()
        if any(words in f"{output_text.lower()}\n" for words in _REFUSED):
            self.problem = f"'{command_line}' is refused: {_RIGHTS.get(self._name, 'this user has no right to ask it')}"
            return None
        if done.returncode != 0:
            lines = output_text.splitlines() or [f"exit status {done.returncode}"]
            # the first error is the cause, and others follow from it
            cause = next((line for line in lines if "error" in line.lower()), lines[-1])
            self.problem = f"'{command_line}' fails: {cause[:200]}"
            return None
        return done.stdout.decode(errors="replace").strip()


def _only_path() -> bool:
    """Whether the sensors of another machine are looked at, whose tools stand on the path only."""
    return "EAMDEPLOY_SENSOR_ROOT" in os.environ
