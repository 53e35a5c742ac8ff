"""Files from elsewhere are loaded and run in a process of their own: a runtime that crashes on one ends that process.

Runtimes are native code, and a damaged or crafted model makes some of them read where nothing is: the whole command would
end by a signal, without a word. One process serves the files of a command; it is started anew when a file ended it.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eamdeploy.base.errors import DataError, MeasurementError, MissingDependency, UsageError
from runtimes.protocol import OperatorTime, Runtime, RuntimeOptions, Session, TensorInfo
from runtimes.trial.frames import read_frame, write_frame

if TYPE_CHECKING:
    from eamdeploy.base.processes import Child
    from runtimes.protocol import Array, Float32

TRIED = ("onnxruntime", "litert")
START_LIMIT_S = 120.0  # importing the runtime on a busy machine
CPU_LIMIT_S, CPU_LIMIT_S_PER_MB = 6.0, 3.0  # of work, to load the file and run it once
RUN_LIMIT_S = 1800.0  # of work, for one call with many images
WAITING_FACTOR = 10.0  # on a busy machine work takes longer than its CPU time
_POLL_S = 0.25
_CODE = "from runtimes.trial.server import serve\nserve()"
_HINT = "the file is damaged, or was made for another version of the runtime; export it again"
_ERRORS = {kind.__name__: kind for kind in (UsageError, DataError, MissingDependency, MeasurementError)}


def load_untrusted(runtime: Runtime, path: Path, options: RuntimeOptions) -> Session:
    """Load an artifact that may be anything, in another process; what needs that process has its session here.

    Raises:
        UsageError: the runtime crashes on the file or does not come back, or what `Runtime.load` raises.
        MissingDependency: as `Runtime.load`.
    """
    if runtime.name not in TRIED:
        return runtime.load(path, options)
    return UntrustedSession(_PROCESS, runtime.name, path, options)


def try_artifact(runtime: str, path: Path) -> None:
    """Load the file and run it once in another process; what merely fails is for the loader to say.

    Raises:
        UsageError: the runtime crashes on it, or does not come back.
    """
    if runtime in TRIED and path.is_file():
        with contextlib.suppress(_Refused):
            UntrustedSession(_PROCESS, runtime, path, RuntimeOptions(), refused=_Refused).close()


class _Refused(Exception):
    """The file was refused in words."""


class UntrustedSession:
    """The `Session` of a file that another process holds."""

    def __init__(
        self,
        process: TrialProcess,
        runtime: str,
        path: Path,
        options: RuntimeOptions,
        *,
        refused: type[Exception] | None = None,
    ) -> None:
        size = path.stat().st_size if path.is_file() else 0
        self._process, self._path, self._runtime, self._refused = process, path, runtime, refused
        load_request = {"op": "load", "runtime": runtime, "path": str(path.resolve()), "options": asdict(options)}
        self._serial, answer, _ = process.load(self, load_request, CPU_LIMIT_S + CPU_LIMIT_S_PER_MB * size / 1e6)
        self._number = answer["session"]
        self.inputs, self.outputs = (
            tuple(TensorInfo(each["name"], tuple(each["shape"]), each["dtype"]) for each in answer[name])
            for name in ("inputs", "outputs")
        )

    def run(self, batch: Float32) -> list[Array]:
        """See `Session.run`."""
        return self._ask("run", [("", batch)])[1]

    def raw_run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """See `Session.raw_run`."""
        return self._ask("raw_run", list(feeds.items()))[1]

    def timed_call(self, feeds: Mapping[str, Array]) -> Callable[[], Any]:
        """See `Session.timed_call`; the way to the other process is in it, so it is no latency."""
        return lambda: self.raw_run(feeds)

    def operator_times(self) -> Sequence[OperatorTime]:
        """See `Session.operator_times`."""
        return [OperatorTime(**row) for row in self._ask("operator_times", [])[0]["operators"]]

    def close(self) -> None:
        """See `Session.close`."""
        if self._process.serial == self._serial:
            self._ask("close", [])

    def _ask(self, operation: str, arrays: list[tuple[str, Array]]) -> tuple[dict[str, Any], list[Array]]:
        if self._process.serial != self._serial:
            raise UsageError("the process that held the file has ended", where=self._path, hint="run the command again")
        return self._process.ask(self, {"op": operation, "session": self._number}, arrays, RUN_LIMIT_S)

    def failure(self, error: Mapping[str, Any]) -> Exception:
        """The error that was met in the other process, as its own class."""
        if self._refused is not None:
            return self._refused()
        kind = _ERRORS.get(str(error.get("type")), UsageError)
        where = error.get("where") or self._path
        return kind(str(error["what"]), where=where, why=error.get("why"), hint=error.get("hint"))

    def crash(self, status: int) -> UsageError:
        """The error for a process that ended while it worked on this file."""
        is_signal = -status in set(signal.Signals)
        why = signal.Signals(-status).name if is_signal else f"exit status {status}"
        return UsageError(f"{self._runtime} crashes on this file", where=self._path, why=why, hint=_HINT)

    def hang(self, limit_s: float) -> UsageError:
        """The error for a process that did not come back from this file."""
        why = f"it took more than {limit_s:.0f} s of work"
        return UsageError(f"{self._runtime} does not get through this file", where=self._path, why=why, hint=_HINT)


class TrialProcess:
    """The process that holds files from elsewhere; there is none until the first file.

    Attributes:
        serial: grows with each process that is started.
    """

    def __init__(self) -> None:
        self._process: Child | None = None
        self._serials, self.serial = itertools.count(1), 0
        self._lock = threading.RLock()
        self._imported: set[str] = set()

    def load(
        self, session: UntrustedSession, load_request: Mapping[str, Any], limit_s: float
    ) -> tuple[int, dict[str, Any], list[Array]]:
        """Start the process if need be and load a file in it."""
        from eamdeploy.base.processes import python_code, start

        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self.close()
                self._process, self.serial, self._imported = start(python_code(_CODE)), next(self._serials), set()
                atexit.register(self.close)
            if load_request["runtime"] not in self._imported:
                self.ask(session, {"op": "import", "runtime": load_request["runtime"]}, [], START_LIMIT_S)
                self._imported.add(load_request["runtime"])
            return self.serial, *self.ask(session, load_request, [], limit_s)

    def ask(
        self, session: UntrustedSession, message: Mapping[str, Any], arrays: list[tuple[str, Array]], limit_s: float
    ) -> tuple[dict[str, Any], list[Array]]:
        """Send a message and wait for its answer.

        Raises:
            UsageError: the process crashed, or did not come back in time.
        """
        with self._lock:
            process = self._process
            if process is None or process.stdin is None or process.stdout is None:
                raise session.crash(0)
            try:
                write_frame(process.stdin, message, arrays)
                self._wait(process, limit_s)
                reply = read_frame(process.stdout)
            except TimeoutError as error:
                self.close()
                raise session.hang(limit_s) from error
            except (BrokenPipeError, EOFError) as error:
                status = process.wait()
                self.close()
                raise session.crash(status) from error
            except BaseException:  # Ctrl-C in the middle of an answer: the rest of it must not be taken for the next
                self.close()
                raise
        answer, values = reply
        if "error" in answer:
            raise session.failure(answer["error"])
        return answer, values

    def close(self) -> None:
        """End the process."""
        process, self._process, self.serial = self._process, None, 0
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    @staticmethod
    def _wait(process: Child, limit_s: float) -> None:
        end, worked = time.monotonic() + WAITING_FACTOR * limit_s, _cpu_s(process.pid)
        while time.monotonic() < end and _cpu_s(process.pid) - worked < limit_s:
            if process.stdout is None or select.select([process.stdout], [], [], _POLL_S)[0]:
                return
        raise TimeoutError


def _cpu_s(process_id: int) -> float:
    """Seconds of CPU time of a process; 0 for one that has ended."""
    try:
        fields = Path("/proc", str(process_id), "stat").read_text(errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


_PROCESS = TrialProcess()
