"""onnxsim, kept at arm's length: in a process of its own with a time limit, its result checked before it counts.

It has crashed and hung in the past, and a simpler graph that computes something else is no gain: the result replaces the
file only if it passes ``onnx.checker``, keeps every named tensor, has fewer nodes, is not larger by more than a tenth, and
gives the same scores on random images.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eamdeploy.base import processes
from export.exporter.request import ExportRequest

TOLERANCE = 1e-4  # of the largest score
_WORKER = """
import sys, onnx, onnxsim
model, ok = onnxsim.simplify(onnx.load(sys.argv[1]), check_n=0)
onnx.save(model, sys.argv[2])
sys.exit(0 if ok else 3)
"""


def simplify(path: Path, request: ExportRequest, *, required: Sequence[str]) -> str:
    """Simplify the file at ``path`` in place if that helps; returns one sentence about what happened."""
    if importlib.util.find_spec("onnxsim") is None:
        return "onnxsim: not installed, not used"
    with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
        result = Path(folder) / "simplified.onnx"
        command = processes.python_code(_WORKER, str(path.resolve()), str(result))
        try:
            run = processes.run(command, timeout_s=request.simplify_timeout_s)
        except subprocess.TimeoutExpired:
            return f"onnxsim: dropped, it took over {request.simplify_timeout_s:g} s"
        if run.returncode != 0 or not result.is_file():
            reason = f"signal {-run.returncode}" if run.returncode < 0 else f"exit code {run.returncode}"
            return f"onnxsim: dropped, it ended with {reason}"
        objection, gain = _judge(path, result, request, required)
        if objection:
            return f"onnxsim: dropped, {objection}"
        os.replace(result, path) if result.stat().st_dev == path.stat().st_dev else path.write_bytes(
            result.read_bytes()
        )
    return f"onnxsim: kept, {gain}"


def _judge(before: Path, after: Path, request: ExportRequest, required: Sequence[str]) -> tuple[str | None, str]:
    """What speaks against ``after``, and what it gained."""
    import onnx

    old, new = onnx.load(str(before)), onnx.load(str(after))
    gain = f"{len(old.graph.node)} nodes became {len(new.graph.node)}"
    try:
        onnx.checker.check_model(new, full_check=True)
    except onnx.checker.ValidationError:
        return "onnx.checker refuses its result", gain
    present = {name for node in new.graph.node for name in node.output}
    if missing := [name for name in required if name not in present]:
        return f"it removed {missing[0]}", gain
    if len(new.graph.node) >= len(old.graph.node):
        return f"nothing became simpler ({len(old.graph.node)} nodes)", gain
    if after.stat().st_size > 1.1 * before.stat().st_size + 65_536:
        return "the file grew", gain
    difference = _largest_difference(before, after, request)
    return (None, gain) if difference <= TOLERANCE else (f"its scores differ by {difference:.1e}", gain)


def _largest_difference(before: Path, after: Path, request: ExportRequest) -> float:
    """Of the scores on random images, as a part of the largest score."""
    import onnxruntime

    batch = 3 if request.batch == "dynamic" else int(request.batch)
    images = np.random.default_rng(0).standard_normal((batch, *request.input_shape), dtype=np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    scores = []
    for path in (before, after):
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        scores.append(session.run(None, {session.get_inputs()[0].name: images})[0])
    return float(np.abs(scores[0] - scores[1]).max() / max(np.abs(scores[0]).max(), 1e-12))
