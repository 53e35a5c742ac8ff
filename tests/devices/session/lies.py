"""A hundred ways for a board to answer wrongly: the operation, and what becomes of the good answer."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import numpy as np

from tests.devices.session.lying import MARK, Change, line


def _with(path: str, value: object) -> Change:
    def change(answer: dict[str, Any]) -> dict[str, Any]:
        lie = copy.deepcopy(answer)
        holder: Any = lie
        *parents, name = path.split(".")
        for parent in parents:
            holder = holder[int(parent) if isinstance(holder, list) else parent]
        holder[int(name) if isinstance(holder, list) else name] = value
        return lie

    return change


def _without(name: str) -> Change:
    return lambda answer: {key: value for key, value in answer.items() if key != name}


def _raw(text: str) -> Change:
    """The good answer's text with ``@@`` where a number was."""
    return lambda answer: MARK + json.dumps(answer).replace('"peak_mb": 20.0', f'"peak_mb": {text}') + "\n"


def _outputs(array: np.ndarray, shape: list[int] | None = None) -> Change:
    encoded = base64.b64encode(array.astype(np.float32).tobytes()).decode()
    return lambda answer: {**answer, "outputs": encoded, "shape": shape or list(array.shape)}


_NUMBERS = (-1, 0, "1", None, True, 1e300, 1e-300, [], {})
_TIMING: dict[str, tuple[object, ...]] = {
    "first_ns": _NUMBERS,
    "warmup_ns": ([-1], "x", None, [0], [1.5], {"a": 1}),
    "stable": (1, "yes", None),
    "samples_ns": ([], [-5] * 10, [0] * 10, ["1"] * 10, [1e300] * 10, [1e-300] * 10, [10**18] * 10, None, {"0": 1},
                   [1_000_000], [1_000_000] * 11, [True] * 10),
    "starts_ns": ([], [0] * 10, [-1] * 10, list(range(10, 0, -1)), [0.5] * 10, [2**70] * 10, None),
    "untimed": (-1, "1", None),
    "conditions": ([], None, [{}], [{"t_ns": -1, "wall_s": 0.0}], [{"t_ns": 1, "wall_s": "x"}], "x",
                   [{"t_ns": 5, "wall_s": 1.0}, {"t_ns": 1, "wall_s": 1.0}],
                   [{"t_ns": 1, "wall_s": 1.0, "temperature_c": 1e9}],
                   [{"t_ns": 1, "wall_s": 1.0, "clock_mhz": -5.0}],
                   [{"t_ns": 1, "wall_s": 1.0, "anything": [1]}]),
}  # fmt: skip

LIES: list[tuple[str, str, Change]] = [
    *(("measure", f"timing.{name} = {value!r}"[:60], _with(f"timing.{name}", value))
      for name, values in _TIMING.items() for value in values),
    *(("measure", f"peak_mb = {value!r}", _with("peak_mb", value)) for value in (-1.0, "1", 1e300, [])),
    *(("measure", f"peak_mb = {text}", _raw(text)) for text in ("NaN", "Infinity", "1e999", "-Infinity", "[" * 100_000)),
    *(("measure", f"without {name}", _without(name)) for name in ("timing", "peak_mb")),
    *(("measure", f"id = {value!r}", _with("id", value)) for value in ("1", -1, None, 1.5, [])),
    *(("measure", f"event = {value!r}", _with("event", value)) for value in ("won", None, 3, "")),
    ("measure", "half a line, and the rest never", lambda answer: line(answer)[:-30] + "\n"),
    ("measure", "not UTF-8", lambda answer: MARK.encode() + b'{"event": "\xff"}\n'),
    ("measure", "a number", lambda _: f"{MARK}3\n"),
    ("measure", "an array", lambda _: f"{MARK}[]\n"),
    ("measure", "escape sequences", lambda _: f"{MARK}\x1b[2J\x1b]0;owned\x07\n"),
    ("measure", "an error of no type", lambda a: {"event": "error", "id": a["id"], "type": "SystemExit", "what": None}),
    ("measure", "an error that is none", lambda a: {"event": "error", "id": a["id"], "what": 3}),
    ("measure", "its end", lambda a: {"event": "ended", "worker": a["worker"], "status": 0}),
    ("measure", "an end with a text", lambda a: {"event": "ended", "worker": a["worker"], "status": "0"}),
    ("measure", "a hang-up", lambda _: ["hang up"]),
    ("measure", "a hang-up in mid-answer", lambda answer: [line(answer)[:50], "hang up"]),
    ("measure", "silence", lambda _: []),
    ("measure", "endless talk", lambda _: ["hello\n", 0.001] * 100_000),
    ("measure", "endless signs of life", lambda _: [line({"event": "alive"}), 0.001] * 100_000),
    ("measure", "a late answer", lambda answer: [30.0, line(answer)]),
    ("measure", "a line without an end", lambda _: [b"x" * (1 << 22)] * 20),
    *(("load", f"{name} = {value!r}"[:60], _with(name, value)) for name, values in {
        "version": (None, 3, "\x1b[2J", "a\nb", "x" * 5000), "import_ms": (-1.0, "1", 1e300),
        "load_ms": (None, -0.5), "inputs": (None, [3], [{"name": "x", "shape": ["a"], "dtype": "f"}]),
        "outputs": ("x", [{}]), "baseline_mb": (-5.0, "x"), "numpy": (None, ["2"]),
    }.items() for value in values),
    *(("infer", f"{name} = {value!r}"[:60], _with(name, value)) for name, values in {
        "outputs": ("", "****", None, 3, "AAAA"), "shape": ([], [-1, 3], [2, 3], ["2"], [10**12, 3], None),
        "input_sha256": ("", "0" * 64, None, "x" * 64),
    }.items() for value in values),
    ("infer", "all NaN", _outputs(np.full((4, 3), np.nan))),
    ("infer", "one NaN", _outputs(np.where(np.eye(4, 3) > 0, np.nan, 0.0))),
    ("infer", "three images", _outputs(np.zeros((3, 3)))),
    ("infer", "a wrong shape", _outputs(np.zeros((4, 3)), [4, 4])),
    *(("facts", f"facts = {value!r}", _with("facts", value)) for value in (None, [], {"a": 3}, "x")),
]  # fmt: skip
