"""MNN's converter, without the command around it.

The package's command ``mnnconvert`` reports every conversion to its maker, and installs a package to do so. The function
under it converts and does nothing else. It runs in a process of its own: it prints, and an error may end the process.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from eamdeploy.base import processes
from eamdeploy.base.errors import InternalError

LIMIT_S = 600.0
_WORKER = "import _tools\n_tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"


def convert(source: Path, target: Path, options: Sequence[str] = (), *, framework: str = "ONNX") -> None:
    """Convert ``source`` to the .mnn file ``target``.

    Raises:
        InternalError: the converter failed.
    """
    files = [
        "-f",
        framework,
        "--modelFile",
        str(source.resolve()),
        "--MNNModel",
        str(target.resolve()),
        "--bizCode",
        "eamdeploy",
    ]
    try:
        done = processes.run(processes.python_code(_WORKER, *files, *options), timeout_s=LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise InternalError("MNN's converter did not end", where=target, why=f"it took over {LIMIT_S:g} s") from error
    if done.returncode != 0 or not target.is_file():
        output = (done.stdout + done.stderr).decode(errors="replace")
        output_lines = [line.strip() for line in output.splitlines() if line.strip()]
        hint = "`debug` shows the whole trace"
        raise InternalError("MNN's converter failed", where=target, why=" | ".join(output_lines[-3:]), hint=hint)
