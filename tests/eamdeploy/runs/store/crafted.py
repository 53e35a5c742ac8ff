"""Runs that no measurement made: each a change to a good one, with what must not get past the decoder."""

from __future__ import annotations

import copy
from typing import Any

GOOD: dict[str, Any] = {
    "id": "20261122T120000-abc",
    "device": "pi4",
    "runtime": "onnxruntime",
    "threads": 4,
    "artifact": "out/model.onnx",
    "artifact_sha256": "ab" * 32,
    "provenance": {"kind": "measured", "board": "b", "runtime": "onnxruntime", "when": "2026-11-22T12:00:00+00:00"},
    "verdict": {"state": "clean", "reasons": []},
    "latency_ms": {
        "p50": 10.0, "p90": 10.5, "p99": 11.0, "mean": 10.1, "ci95": [9.9, 10.1],
        "samples": [9.0, 10.0, 11.0], "block": [0, 0, 1],
    },
    "accuracy": {"top1": 50.0, "n": 4, "top5": 75.0, "flips": 1, "correct": "3", "data": "d", "images": "ff"},
    "conditions": {"samples": [{"t_s": 0.0, "temperature_c": 50.0}], "governor": "performance", "facts": {"os": "x"}},
    "format": "onnx",
    "precision": "fp32",
    "bytes": 100,
    "memory_mb": 20.0,
    "options": {"xnnpack": True},
    "per_layer": [{"name": "a/Conv", "kind": "Conv", "mean_ms": 1.0, "calls": 3, "where": "CPU"}],
}  # fmt: skip

_DEEP: Any = None
for _ in range(200):
    _DEEP = [_DEEP]
_NUMBERS = (-1.0, 0.0, 1e300, 1e-300, "10", None, [], True)

# path, values that it must not take
BAD: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("id", (3, "", None, "a b", "a\nb", "ab\n", "x" * 200, ["a"])),
    ("device", (3, None, "a\x1b[2Jb", "a\nb", "pi4\n", "x" * 5000)),
    ("runtime", (None, {}, "\x00")),
    ("threads", (0, -1, 1.5, "4", None, True, 10**9)),
    ("artifact", (3, None, "a\x00b", "x" * 100_000)),
    ("artifact_sha256", (None, 3, "../../etc", "ab cd", "ab\n")),
    ("provenance", (None, [], "measured", {"kind": "measured"})),
    ("provenance.kind", ("guessed", None, 1, "MEASURED")),
    ("provenance.when", ("2999-01-01", "2026-13-45T00:00:00", "1970-01-01", "yesterday", 5, None, "9999-12-31T23:59:59")),
    ("verdict.state", ("fine", None, 0)),
    ("verdict.reasons", ("x", [1], {"a": 1})),
    ("latency_ms", ([], "fast", 10.0)),
    ("latency_ms.p50", (*_NUMBERS, 20.0)),
    ("latency_ms.p99", (-1.0, 1.0, "x")),
    ("latency_ms.ci95", ([10.1, 9.9], [10.5, 11.0], [9.9], [9.9, 10.0, 10.1], ["a", "b"], "x")),
    ("latency_ms.samples", ([-1.0], [0.0], [1e300], [None], "abc", [[1.0]], {"0": 1.0}, [100.0, 100.0, 100.0])),
    ("latency_ms.block", ([0], [0, 0, -1], [0, 0, 0.5], "000")),
    ("accuracy.top1", (-0.1, 100.1, "50", None, 75.0)),
    ("accuracy.n", (0, -1, 0.5, None)),
    ("accuracy.correct", ("zz", "", "ff", "3\n", 3)),
    ("accuracy.flips", (-1, 5)),
    ("accuracy.top5", (40.0, 101.0)),
    ("accuracy.confused", ([[0, 0, 3]], [[0, 0]], [[0, 0, 0]], [[-1, 0, 4]], 3)),
    ("conditions", ([], None, 3)),
    ("conditions.samples", ([{"t_s": "0"}], [{}], [{"t_s": 0.0, "temperature_c": 1e300}], "x")),
    ("conditions.facts", ([], {"os": 3}, {"os": None})),
    ("bytes", (-1, 1.5, "1")),
    ("batch", (0, -3, "1")),
    ("memory_mb", (-1.0, 1e300, "20")),
    ("options", ([], None, {"deep": _DEEP})),
    ("per_layer", ({}, [3], [{"name": 3}], [{"mean_ms": "1"}], [{"mean_ms": -1.0}], [{"kind": {}}])),
    ("schema_version", (0, 99, "1")),
)  # fmt: skip


def crafted() -> list[tuple[str, dict[str, Any]]]:
    """What is wrong, and the document."""
    crafted_runs = []
    for path, values in BAD:
        for value in values:
            document = copy.deepcopy(GOOD)
            *parents, name = path.split(".")
            holder = document
            for parent in parents:
                holder = holder[parent]
            holder[name] = value
            crafted_runs.append((f"{path} = {value!r}"[:60], document))
    return crafted_runs
