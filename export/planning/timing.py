"""Where artifacts are timed for the planner: this host here; a board behind the same protocol above this package."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from export.planning.target import Target, host_machine

WARM_UP = 3


class Timer(Protocol):
    """Times artifacts on one machine.

    Attributes:
        where: the machine, for messages.
        machine: its CPU family, as in :class:`~export.planning.target.Target`.
    """

    where: str
    machine: str

    def identity(self, runtime: str) -> Mapping[str, str]:
        """What a measurement is valid for: ``cpu`` and ``runtime``, the latter with its version."""

    def time(self, artifacts: Mapping[str, Path], target: Target, rounds: int) -> dict[str, float]:
        """Milliseconds of one inference of each artifact, all taken in turns: :func:`quick` of its samples."""


def quick(samples_ms: Sequence[float]) -> float:
    """The 10th percentile, in ms: what a layer takes when nothing else holds the machine."""
    return round(statistics.quantiles(samples_ms, n=10)[0], 4)


def images_per_call(target: Target) -> int:
    """The target's batch; a dynamic one is timed with one image."""
    return 1 if target.batch == "dynamic" else target.batch


class HostTimer:
    """This machine."""

    where = "this host"

    def __init__(self) -> None:
        self.machine = host_machine()

    def identity(self, runtime: str) -> Mapping[str, str]:
        """See the protocol."""
        from runtimes.registry import get_runtime

        return {"cpu": _cpu_name(), "runtime": str(get_runtime(runtime).version())}

    def time(self, artifacts: Mapping[str, Path], target: Target, rounds: int) -> dict[str, float]:
        """See the protocol."""
        from runtimes.batching import sample_feeds
        from runtimes.protocol import RuntimeOptions
        from runtimes.registry import get_runtime

        runtime = get_runtime(target.runtime)
        samples: dict[str, list[float]] = {name: [] for name in artifacts}
        sessions = {
            name: runtime.load(path, RuntimeOptions(threads=target.threads)) for name, path in artifacts.items()
        }
        try:
            calls = {
                name: session.timed_call(sample_feeds(session.inputs, batch=images_per_call(target)))
                for name, session in sessions.items()
            }
            for turn in range(rounds + WARM_UP):
                for name, call in calls.items():
                    started = time.perf_counter_ns()
                    call()
                    if turn >= WARM_UP:
                        samples[name].append((time.perf_counter_ns() - started) / 1e6)
        finally:
            for session in sessions.values():
                session.close()
        return {name: quick(times) for name, times in samples.items()}


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor() or platform.machine()
