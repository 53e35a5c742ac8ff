"""Run the benchmarks that need neither a board nor data: ``python -m benchmarks``."""

from __future__ import annotations

import subprocess
import sys

COMMANDS = (
    ("benchmarks.bench.own_loop",),
    ("benchmarks.training.step",),
    ("benchmarks.export.whole_network", "--out", "out/whole-network"),
)

for command in COMMANDS:
    print(f"\n== {' '.join(command)}", flush=True)
    code = subprocess.run([sys.executable, "-m", *command], check=False).returncode
    if code:
        sys.exit(code)
