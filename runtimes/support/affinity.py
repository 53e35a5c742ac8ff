"""Keep the calling thread, and the threads it starts, on chosen CPUs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from eamdeploy.base.errors import UsageError


class Pinned:
    """The calling thread's CPUs while a session lives; a runtime's worker threads inherit them.

    Raises:
        UsageError: a CPU that is not there or not allowed, or a system that cannot pin.
    """

    def __init__(self, cpus: Iterable[int] | None) -> None:
        self._before: set[int] | None = None
        if cpus is None:
            return
        cpu_set = set(cpus)
        if not hasattr(os, "sched_setaffinity"):
            raise UsageError("this system cannot keep a thread on chosen CPUs", hint="leave the affinity out")
        allowed = os.sched_getaffinity(0)
        if not cpu_set or not cpu_set <= allowed:
            listed = ", ".join(str(cpu) for cpu in sorted(allowed))
            cpu_list = ", ".join(str(cpu) for cpu in sorted(cpu_set)) or "none"
            raise UsageError("the CPUs asked for are not all there", where=cpu_list, hint=f"allowed here: {listed}")
        self._before = allowed
        os.sched_setaffinity(0, cpu_set)

    def release(self) -> None:
        """Give the calling thread its former CPUs back."""
        if self._before is not None:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, self._before)
            self._before = None
