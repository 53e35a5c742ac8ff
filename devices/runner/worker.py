"""The process that loads one artifact, runs it and times it; ends with its supervisor."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devices.runner import facts, inference, timing, wire
from eamdeploy.base.errors import EamdeployError, MeasurementError, MissingDependency
from runtimes.protocol import RuntimeOptions, Session
from runtimes.registry import get_runtime
from runtimes.support import quiet

# nothing above may need numpy: that it is missing must be said in words

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def serve(descriptor: int) -> None:
    """Answer the supervisor's messages, one after the other, until it closes the pipe."""
    _die_with_parent()
    quiet.pass_everything()
    worker = Worker()
    for line in sys.stdin:
        message = json.loads(line)
        answer = {"id": message["id"], "worker": message["worker"], **worker.answer(message)}
        wire.write_all(descriptor, json.dumps(answer, allow_nan=False))


class Worker:
    """One artifact in one runtime."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._call: Callable[[], Any] | None = None
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "load": self._load,
            "measure": self._measure,
            "once": self._once,
            "infer": self._infer,
            "profile": self._profile,
        }

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Do what a message asks; an error becomes an answer too."""
        try:
            return {"event": "result", **self._operations[message["op"]](message)}
        except EamdeployError as error:
            return _error(error)
        except MemoryError:
            return _error(MeasurementError("the board ran out of memory", hint="close other programs or add swap"))
        except ImportError as error:  # what was installed is imported elsewhere: this is a part of Python itself
            hint = "use the Python of the board's system, or install that part of it"
            return _error(MissingDependency("the board's Python is not complete", why=error, hint=hint))
        except Exception as error:  # a bug on the board must reach the host in words
            detail = traceback.format_exc(limit=-4)
            answer = _error(EamdeployError("the runner failed", why=f"{type(error).__name__}: {error}"))
            return {**answer, "traceback": detail}

    def _load(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            import numpy as np
        except ImportError as error:
            hint = "'eamdeploy devices setup' installs it"
            if sys.maxsize < 2**32:
                hint = "there are no wheels of it for 32-bit programs: install the 64-bit system"
            raise MissingDependency("numpy is not installed on the board", why=error, hint=hint) from error

        before_mb = facts.memory_mb("VmRSS")
        runtime = get_runtime(message["runtime"])
        start = time.perf_counter_ns()
        version = runtime.version()  # imports it
        imported = time.perf_counter_ns()
        self._call = None
        self._session = runtime.load(Path(message["artifact"]), _options(message["options"]))
        loaded = time.perf_counter_ns()
        built_ms = getattr(self._session, "engine_build_ms", None)  # TensorRT's own, told apart from loading
        return {
            "version": version,
            "numpy": np.__version__,
            "python": sys.version.split()[0],
            "import_ms": (imported - start) / 1e6,
            "load_ms": (loaded - imported) / 1e6 - (built_ms or 0.0),
            "inputs": [asdict(tensor) for tensor in self._session.inputs],
            "outputs": [asdict(tensor) for tensor in self._session.outputs],
            "baseline_mb": before_mb,
            "engine_build_ms": built_ms,
        }

    def _measure(self, message: dict[str, Any]) -> dict[str, Any]:
        from runtimes.batching import sample_feeds

        session = self._loaded()
        call = session.timed_call(sample_feeds(session.inputs, batch=message.get("batch", 1)))
        result = timing.measure(call, timing.TimingLimits(**message["limits"]))
        return {"timing": asdict(result), "peak_mb": facts.memory_mb("VmHWM")}

    def _once(self, message: dict[str, Any]) -> dict[str, Any]:
        """Time one inference, and nothing beside it."""
        if self._call is None:
            from runtimes.batching import sample_feeds

            session = self._loaded()
            self._call = session.timed_call(sample_feeds(session.inputs, batch=message.get("batch", 1)))
        return {"duration_ns": timing.once(self._call)}

    def _infer(self, message: dict[str, Any]) -> dict[str, Any]:
        return inference.run_shard(self._loaded(), message)

    def _profile(self, message: dict[str, Any]) -> dict[str, Any]:
        from runtimes.batching import sample_feeds

        session = self._loaded()
        feeds = sample_feeds(session.inputs, batch=message.get("batch", 1))
        for _ in range(message["inferences"]):
            session.raw_run(feeds)
        return {"operators": [asdict(row) for row in session.operator_times()]}

    def _loaded(self) -> Session:
        if self._session is None:
            raise EamdeployError("nothing is loaded in this worker")
        return self._session


def _options(values: dict[str, Any]) -> RuntimeOptions:
    affinity = values.get("affinity")
    return RuntimeOptions(**{**values, "affinity": None if affinity is None else tuple(affinity)})


def _error(error: EamdeployError) -> dict[str, Any]:
    return {
        "event": "error",
        "type": type(error).__name__,
        "what": error.what,
        "where": error.where,
        "why": error.why,
        "hint": error.hint,
    }


def _die_with_parent() -> None:
    # the supervisor may be killed without a chance to end its workers; the kernel then does it
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError, ImportError):  # a Python may be built without ctypes
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)
