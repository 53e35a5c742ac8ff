"""A file from elsewhere is tried in a process of its own before it is loaded here: a runtime that crashes on it ends that one.

Runtimes are native code, and a damaged or crafted model makes some of them read where nothing is: the whole command would
end by a signal, without a word. One process tries the files of a command one after the other; it is started anew when a
file ended it. What merely fails there fails again here, in the runtime's own words.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eamdeploy.base.errors import UsageError
from runtimes.protocol import Runtime, RuntimeOptions, Session

if TYPE_CHECKING:
    from eamdeploy.base.processes import Child

TRIED = ("onnxruntime", "litert", "ncnn", "mnn")
START_LIMIT_S = 120.0  # importing the runtime on a busy machine
CPU_LIMIT_S, CPU_LIMIT_S_PER_MB = 6.0, 3.0  # of work, to load the file and run it once
WAITING_FACTOR = 10.0  # on a busy machine work takes longer than its CPU time
_POLL_S = 0.25
_CODE = "from runtimes.trial import serve\nserve()"


def load_untrusted(runtime: Runtime, path: Path, options: RuntimeOptions) -> Session:
    """Load an artifact that may be anything; it was tried in another process first.

    Raises:
        UsageError: the runtime crashes on the file or does not come back, or what `Runtime.load` raises.
        MissingDependency: as `Runtime.load`.
    """
    try_artifact(runtime.name, path)
    return runtime.load(path, options)


def try_artifact(runtime: str, path: Path) -> None:
    """Load the file and run it once in another process.

    Raises:
        UsageError: the runtime crashes on it, or does not come back.
    """
    if runtime not in TRIED:
        return
    with contextlib.suppress(OSError):  # one that is not there: the runtime says so
        status = path.stat()
        _tried(runtime, str(path.resolve()), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _tried(runtime: str, path: str, _changed: int, size: int) -> None:
    limit_s = CPU_LIMIT_S + CPU_LIMIT_S_PER_MB * size / 1e6
    ended = _PROCESS.attempt(runtime, path, limit_s)
    hint = "the file is damaged, or was made for another version of the runtime; export it again"
    if ended is None:
        return
    if ended < 0:
        name = signal.Signals(-ended).name if -ended in set(signal.Signals) else f"signal {-ended}"
        raise UsageError(f"{runtime} crashes on this file", where=path, why=name, hint=hint)
    why = f"loading it and running it once took more than {limit_s:.0f} s of work"
    raise UsageError(f"{runtime} does not get through this file", where=path, why=why, hint=hint)


class _TrialProcess:
    """The process that tries files; there is none until the first file."""

    def __init__(self) -> None:
        self._process: Child | None = None

    def attempt(self, runtime: str, path: str, limit_s: float) -> int | None:
        """None when the file was got through; else how the process ended, 0 when it had to be stopped."""
        process = self._started()
        if process is None or process.stdin is None:
            return None
        try:
            process.stdin.write(json.dumps([runtime, path]).encode() + b"\n")
            process.stdin.flush()
            self._answer(process, START_LIMIT_S)  # the runtime is imported
            if self._answer(process, limit_s):
                return None
        except BrokenPipeError:
            pass
        except TimeoutError:
            self.close()
            return 0
        ended = process.wait()
        self.close()
        return ended if ended < 0 else None

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _started(self) -> Child | None:
        from eamdeploy.base.processes import python_code, start

        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = start(python_code(_CODE))
            atexit.register(self.close)
        return self._process

    @staticmethod
    def _answer(process: Child, limit_s: float) -> bool:
        """Whether it answered; False when it ended instead."""
        if process.stdout is None:
            return False
        end, worked = time.monotonic() + WAITING_FACTOR * limit_s, _cpu_s(process.pid)
        while time.monotonic() < end and _cpu_s(process.pid) - worked < limit_s:
            if select.select([process.stdout], [], [], _POLL_S)[0]:
                return os.read(process.stdout.fileno(), 1) != b""
        raise TimeoutError


def _cpu_s(process_id: int) -> float:
    """Seconds of CPU time of a process; 0 for one that has ended."""
    try:
        fields = Path("/proc", str(process_id), "stat").read_text(errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


_PROCESS = _TrialProcess()


def serve() -> None:
    """In that process: try one file a line; a byte says that the runtime is there, another that the file was got through."""
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):  # whatever a runtime prints about a file, it prints again where it counts
        os.dup2(nowhere, descriptor)
    from runtimes.batching import sample_feeds
    from runtimes.registry import get_runtime

    for line in sys.stdin:
        name, path = json.loads(line)
        runtime: Any = get_runtime(name)
        # what fails in words does so again where the words are heard
        with contextlib.suppress(Exception):
            runtime.version()
        os.write(answers, b".")
        with contextlib.suppress(Exception):
            session = runtime.load(Path(path), RuntimeOptions(threads=1))
            # an input whose size only the user knows is not made up: what is wrong with it would be ours
            if all(None not in tensor.shape[1:] for tensor in session.inputs):
                session.raw_run(sample_feeds(session.inputs, batch=1))
            session.close()
        os.write(answers, b".")
