"""What every test needs: one computing thread a process, so that suites, servers and children share two cores peacefully."""

from __future__ import annotations

import os

# read by OpenMP when torch, numpy or a runtime is first imported, in the tests and in every command they start
os.environ.setdefault("OMP_NUM_THREADS", "1")
