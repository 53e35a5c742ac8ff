"""Every process of ours is started here: our own Python isolated, other programs from absolute folders, none by a shell.

A Python that is started the usual way takes modules from the folder it stands in, from PYTHONPATH and from the user's own
site folder: a ``numpy.py`` in a downloads folder would be run. ``-I`` leaves all of that out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

Child = subprocess.Popen[bytes]  # noqa: TID251 - its type
_ALIVE: weakref.WeakSet[Child] = weakref.WeakSet()
_ROOT = str(Path(__file__).resolve().parents[2])
# our own folder after the standard library; and whatever happens to the parent, the child does not stay behind
_PREPARE = """
import sys
parent, root, *packages = sys.argv.pop(1).split("\x1f")
if root not in sys.path:
    sys.path.insert(next((i for i, p in enumerate(sys.path) if p.endswith("-packages")), len(sys.path)), root)
sys.path.extend(p for p in packages if p not in sys.path)
def _die_with_parent():
    import contextlib, ctypes, os, signal
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        try:
            os.kill(int(parent), 0)
        except ProcessLookupError:  # it died before this was asked for
            os._exit(1)
_die_with_parent()
"""


def python_code(code: str, *arguments: str) -> list[str]:
    """The command that runs ``code`` in an isolated Python that finds eamdeploy; ``arguments`` are its ``sys.argv[1:]``."""
    # where this process has its packages from, such as a user's own site folder, the other one finds them too
    packages = [path for path in sys.path if path.endswith("-packages") and os.path.isabs(path)]  # noqa: PTH117
    return [sys.executable, "-I", "-c", _PREPARE + code, "\x1f".join([str(os.getpid()), _ROOT, *packages]), *arguments]


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs an installed ``module``, such as pip, in an isolated Python."""
    return [sys.executable, "-I", "-m", module, *arguments]


def eamdeploy_command(*words: str) -> list[str]:
    """The command that runs eamdeploy itself in an isolated Python."""
    return python_code("from eamdeploy.cli.process import start\nstart()", *words)


def tool(name: str, *arguments: str) -> list[str] | None:
    """The command of another program, by its absolute path; None where no absolute folder of PATH has it."""
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(folder)]  # noqa: PTH117
    location = shutil.which(name, path=os.pathsep.join(folders))
    return None if location is None else [location, *arguments]


def run(
    command: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout_s: float | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end and return what it wrote; it and what it started are ended on a timeout or an interruption.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it ran for longer than ``timeout_s``.
    """
    process = subprocess.Popen(  # noqa: TID251 - the one place
        list(command),
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if env is None else dict(env),
        start_new_session=True,
    )
    _ALIVE.add(process)
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout_s)
        except BaseException:
            _end(process)
            raise
    return subprocess.CompletedProcess(list(command), process.returncode, stdout, stderr)


def start(command: Sequence[str]) -> Child:
    """Start a command that is talked to through its pipes, in a session of its own: Ctrl-C is for this process."""
    process = subprocess.Popen(  # noqa: TID251 - the one place
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _ALIVE.add(process)
    return process


def run_in_front(command: Sequence[str], *, ends_within_s: float) -> int:
    """Run a command in this one's place, with its input and output; returns its exit status, negative for a signal.

    Ctrl-C and SIGTERM are handed on, once each; what does not end by that within ``ends_within_s`` is killed.
    """
    started: list[Child] = []
    signals: list[int] = []

    def hand_on(number: int, _: FrameType | None) -> None:
        signals.append(number)
        if not started:
            return
        started[0].send_signal(number)
        limit = threading.Timer(ends_within_s, started[0].kill)
        limit.daemon = True
        limit.start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)
    process = subprocess.Popen(list(command), start_new_session=True)  # noqa: TID251 - the one place
    _ALIVE.add(process)
    started.append(process)
    for missed in tuple(signals):
        hand_on(missed, None)
    status = process.wait()
    # a Python that is interrupted while it starts ends with 1; 0: it was done before it heard
    return -signals[0] if signals and status else status


def end_all() -> None:
    """End every process that `run` and `start` started, with what they started: for a command that is interrupted."""
    for process in list(_ALIVE):
        _end(process)


def _end(process: Child) -> None:
    if process.returncode is None:  # its number is nobody else's before it was waited for
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def run_attached(command: Sequence[str]) -> int:
    """Run a command that shares this one's terminal, Ctrl-C included; returns its exit status."""
    return subprocess.run(list(command), check=False).returncode  # noqa: TID251 - the one place
