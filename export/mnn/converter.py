"""MNN's converter, without the command around it.

The package's command ``mnnconvert`` reports every conversion to its maker, and installs a package to do so. The function
under it converts and does nothing else. It runs in a process of its own: it prints, and an error may end the process.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from eamdeploy.base.errors import InternalError

LIMIT_S = 600.0
_WORKER = "import sys, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"


def convert(source: Path, target: Path, options: Sequence[str] = (), *, framework: str = "ONNX") -> None:
    """Convert ``source`` to the .mnn file ``target``.

    Raises:
        InternalError: the converter failed.
    """
    files = ["-f", framework, "--modelFile", str(source), "--MNNModel", str(target), "--bizCode", "eamdeploy"]
    command = [sys.executable, "-c", _WORKER, *files, *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise InternalError("MNN's converter did not end", where=target, why=f"it took over {LIMIT_S:g} s") from error
    if done.returncode != 0 or not target.is_file():
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        hint = "run again with --debug"
        raise InternalError("MNN's converter failed", where=target, why=" | ".join(said[-3:]), hint=hint)
