"""The process that the host talks to: starts workers, passes lines on, cleans up however the run ends."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from devices.runner import facts, wire
from devices.runner.sensors import Sensors
from devices.runner.start import ISOLATED, installed_runner

ALIVE_EVERY_S = 5.0
FOLDER_PREFIX = "eamdeploy"
_READ_BYTES = 1 << 16


class Supervisor:
    """Serves one host over standard input and output until the host is done, gone or silent.

    Args:
        workdir: the run's own folder, removed at the end; must be called ``eamdeploy…``.
        silence_s: seconds without a line from the host after which it counts as gone: a link can freeze for hours
            without being closed, and the board must not stay busy.
    """

    def __init__(self, workdir: str | None, silence_s: float) -> None:
        if workdir is not None and not Path(workdir).name.startswith(FOLDER_PREFIX):
            raise SystemExit(f"refusing to own {workdir}: its name does not start with {FOLDER_PREFIX}")
        self._workdir = workdir
        self._silence_s = silence_s
        self._selector = selectors.DefaultSelector()
        self._workers: dict[str, _Worker] = {}
        self._input = b""
        self._done = False
        self._sensors = Sensors()
        # the host's lines go to a descriptor of their own; whatever prints to standard output prints to stderr
        self._output = os.dup(1)
        os.dup2(2, 1)

    def run(self) -> int:
        """Serve until the end; the exit status is 0 when the host said goodbye and 1 when it was lost."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, _stop)
        try:
            self._emit({"event": "ready", "pid": os.getpid(), "python": sys.version.split()[0]})
            self._serve()
        except (BrokenPipeError, ConnectionResetError, _Stopped):
            return 1
        finally:
            self._clean_up()
        return 0 if self._done else 1

    def _serve(self) -> None:
        self._selector.register(0, selectors.EVENT_READ)
        last_message_s = alive = time.monotonic()
        while not self._done:
            for key, _ in self._selector.select(timeout=1.0):
                if key.data is None:
                    chunk = os.read(0, _READ_BYTES)
                    if not chunk:
                        return
                    last_message_s = time.monotonic()
                    self._take(chunk)
                else:
                    self._forward(key.data)
            now = time.monotonic()
            if now - last_message_s > self._silence_s:
                return
            if now - alive >= ALIVE_EVERY_S:
                alive = now
                self._emit({"event": "alive"})

    def _take(self, chunk: bytes) -> None:
        *lines, self._input = (self._input + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                self._handle(json.loads(line))

    def _handle(self, message: dict[str, Any]) -> None:
        kind = message.get("op")
        if kind == "exit":
            self._done = True
        elif kind == "conditions":
            self._emit({"event": "result", "id": message["id"], "conditions": self._sensors.read()})
        elif kind == "facts":
            self._emit({"event": "result", "id": message["id"], "facts": facts.read()})
        elif kind == "start":
            worker = _Worker(message["worker"])
            self._workers[worker.name] = worker
            self._selector.register(worker.output, selectors.EVENT_READ, worker)
        elif kind == "stop":
            worker_to_stop = self._workers.get(message["worker"])
            if worker_to_stop is not None:
                worker_to_stop.kill()  # its end arrives as the end of its output
        elif kind != "ping":
            addressed = self._workers.get(message["worker"])
            if addressed is not None:  # one that has just ended: its end is on its way to the host
                addressed.send(message)

    def _forward(self, worker: _Worker) -> None:
        chunk = os.read(worker.output, _READ_BYTES)
        if not chunk:
            self._selector.unregister(worker.output)
            del self._workers[worker.name]
            self._emit({"event": "ended", "worker": worker.name, "status": worker.reap()})
            return
        *lines, worker.partial = (worker.partial + chunk).split(b"\n")
        for line in lines:
            wire.write_all(self._output, wire.MARK + line.decode())

    def _emit(self, message: dict[str, Any]) -> None:
        wire.write_all(self._output, wire.encode(message))

    def _clean_up(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for worker in self._workers.values():
            worker.kill()
            worker.reap()
        if self._workdir is not None:
            shutil.rmtree(self._workdir, ignore_errors=True)


class _Stopped(Exception):
    """A signal asked this process to end."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped


class _Worker:
    """A worker process in a session of its own, and the pipe it answers on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.partial = b""
        self.output, answers = os.pipe()
        # what the runtime prints goes to standard error, never between the lines
        self._process = subprocess.Popen(  # noqa: TID251 - on the board; isolated by its command
            [*_command(), "--worker", str(answers)],
            stdin=subprocess.PIPE,
            stdout=2,
            pass_fds=(answers,),
            start_new_session=True,
        )
        os.close(answers)

    def send(self, message: dict[str, Any]) -> None:
        """Hand a message on; a worker that has ended says so by the end of its output."""
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(json.dumps(message).encode() + b"\n")
                stdin.flush()

    def kill(self) -> None:
        """End the worker and whatever it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def reap(self) -> int:
        """Wait for the end and return the exit status, negative for a signal."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        os.close(self.output)
        return self._process.wait()


def _command() -> list[str]:
    archive = Path(__file__).resolve().parents[2]
    # the pushed zip, or the package that is installed here
    return [sys.executable, ISOLATED, *([str(archive)] if archive.is_file() else installed_runner())]
