"""What every test needs: one computing thread a process, and random numbers that a failure can be repeated with."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from hypothesis import HealthCheck, settings

# a busy machine is slow, not wrong
settings.register_profile("eamdeploy", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("eamdeploy")

# read by OpenMP when torch, numpy or a runtime is first imported, in the tests and in every command they start; so that
# suites, servers and children share two cores peacefully
os.environ.setdefault("OMP_NUM_THREADS", "1")
# processes that run tests side by side are told a terminal's width, which no terminal has: commands would wrap what they pipe
os.environ.pop("COLUMNS", None)
# readline, which pytest's debugger imports, sets it for child processes without Python's knowledge
os.unsetenv("COLUMNS")
# a suite that a shell started in the background inherits a Ctrl-C that is ignored, and so would every command it starts
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def repeatable() -> None:
    """Each test starts from the same seed, whatever ran before it; torch only where something imported it already."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that a test could not store is rescued into the current folder: none may be left in the repository."""
    left = sorted(path.name for path in session.config.rootpath.glob("eamdeploy-run-*.jsonl"))
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        sys.stderr.write(
            f"\ntests left {', '.join(left)}: the tests that store runs must stand in a folder of their own\n"
        )
