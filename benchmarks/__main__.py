"""Run the benchmarks that need neither a board nor data: ``python -m benchmarks``."""

from __future__ import annotations

import subprocess
import sys

MODULES = ("benchmarks.training.step", "benchmarks.export.whole_network")

for module in MODULES:
    print(f"\n== {module}", flush=True)
    code = subprocess.run([sys.executable, "-m", module], check=False).returncode
    if code:
        sys.exit(code)
