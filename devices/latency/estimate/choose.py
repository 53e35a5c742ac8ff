"""Which calibration serves an estimate, and what had to be carried over to use it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from devices.latency.model.calibration import Calibration
from devices.latency.model.hardware import Board, board_of, boards, log_speed_ratio
from devices.latency.model.transfer import likeness, rank

# a .tflite file runs under LiteRT, whose CPU kernels are TFLite's
RUNTIMES = {
    "litert": "TFLite",
    "tflite": "TFLite",
    "armnn": "ArmNN-Neon",
    "ncnn": "ncnn",
    "mnn": "MNN",
    "onnxruntime": "ONNXRuntime",
    "tengine": "Tengine-Lite",
}
# whose measurements stand in for a runtime without its own: those that serve most kinds of networks first
STAND_INS = ("TFLite", "ArmNN-Neon", "ncnn", "Tengine-Lite", "XNNPACK(end2end_bench)")
WIDEST = math.log(10) / 2  # an interval whose ends are a factor of ten apart is no estimate


@dataclass(frozen=True)
class Step:
    """One thing carried over: how it changes the logarithm of the latency, how far that may be off, in words."""

    shift: float
    half_width: float
    words: str


@dataclass(frozen=True)
class Choice:
    """A calibration and the way from it to what was asked for."""

    calibration: Calibration
    steps: tuple[Step, ...]

    @property
    def half_width(self) -> float:
        """Of all steps; independent, so their squares add."""
        return float(sum(s.half_width**2 for s in self.steps) ** 0.5)

    @property
    def shift(self) -> float:
        """Of all steps."""
        return sum(s.shift for s in self.steps)


@cache
def transfers() -> dict[str, Any]:
    """The shipped factors."""
    text = resources.files("devices.latency").joinpath("data/transfers.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def choose(
    calibrations: Sequence[Calibration], device: str, runtime: str, precision: str, threads: int | None
) -> tuple[Choice | None, str]:
    """The nearest calibration, or None and why there is none.

    The user's own measurements come first; then the board itself under the runtime asked for; then what the fewest and
    most certain steps lead to. A calibration of another precision never serves.
    """
    target, wanted = board_of(device), RUNTIMES.get(runtime, runtime)
    precisions = (
        (precision,) if precision == "int8" else ("fp32", "fp16") if precision in ("fp32", "fp16") else (precision,)
    )
    choices = []
    for c in calibrations:
        if c.conditions.processor != "cpu" or c.conditions.precision not in precisions:
            continue
        steps = _steps(c, device, target, wanted, precision, threads)
        if steps is not None:
            choices.append(Choice(c, tuple(steps)))
    if not choices:
        return None, f"no {precision} measurement of {device} or of a board like it is known for {runtime}"
    best = min(choices, key=_order)
    if best.half_width > WIDEST:
        return (
            None,
            f"the nearest calibration, {best.calibration.title}, could be wrong by more than a factor of three here",
        )
    return best, ""


def _order(choice: Choice) -> tuple[bool, float, int, bool, tuple[int, ...], int]:
    c = choice.calibration
    enough, version, networks = rank(c.conditions.version, c.networks)
    stand_in = STAND_INS.index(c.conditions.runtime) if c.conditions.runtime in STAND_INS else len(STAND_INS)
    return (
        c.origin != "measured",
        round(choice.half_width, 6),
        stand_in,
        not enough,
        tuple(-v for v in version),
        -networks,
    )


def _steps(
    c: Calibration, device: str, target: Board | None, runtime: str, precision: str, threads: int | None
) -> list[Step] | None:
    kind = "int8" if precision == "int8" else "float"
    steps: list[Step] = []
    if c.origin == "measured":
        if device not in (c.conditions.board, c.profile):
            return None
        target = source = None
    else:
        source = boards().get(c.conditions.board)
        if target is None or source is None:
            return None
    if source is not None and target is not None and source.name != target.name:
        step = _board_step(source, target, kind)
        if step is None:
            return None
        steps.append(step)
    if c.conditions.runtime != runtime:
        factor = transfers()["runtime"].get(kind)
        if factor is None or c.origin == "measured":
            return None
        source_runtime = f"{c.conditions.runtime} {c.conditions.version}".strip()
        words = f"transferred from {source_runtime}: no calibration of {_words(runtime)} is near"
        steps.append(Step(0.0, factor["half_width"], words))
    if (
        kind == "float"
        and c.conditions.precision != precision
        and not (precision == "fp16" and c.conditions.precision == "fp32")
    ):
        # ncnn computes in fp16 where the core can; this artifact does not
        return None
    return _thread_steps(c, target or source, threads, steps)


def _words(runtime: str) -> str:
    return next((name for name, published in RUNTIMES.items() if published == runtime and name != "tflite"), runtime)


def _board_step(source: Board, target: Board, kind: str) -> Step | None:
    ratio = log_speed_ratio(source, target)
    factor = transfers()["board"].get(kind, {}).get(likeness(source, target))
    if ratio is None or factor is None or (kind == "int8" and source.dot_product != target.dot_product):
        return None
    where = f"{source.name} ({source.cores}x {source.core})"
    words = f"transferred from {where} by data-sheet ratio: {target.name} has no calibration of its own"
    return Step(ratio, factor["half_width"], words)


def _thread_steps(c: Calibration, board: Board | None, threads: int | None, steps: list[Step]) -> list[Step] | None:
    """Adds the step to a thread count; `board` is the one estimated for, whose cores a carried-over board stands for."""
    stated = c.conditions.threads
    if threads is None or stated == str(threads) or (c.origin == "measured" and not stated):
        return steps if threads is not None or stated != "1" or c.origin == "measured" else None
    cores = board.cores if board is not None else 0
    if not stated:
        if threads >= cores > 0:
            return steps
        if threads != 1:
            return None
        factor = transfers()["threads"].get(str(min((4, 6, 8, 12), key=lambda n: abs(n - cores))))
        if factor is None:
            return None
        words = "threads not stated by the publisher: taken as all cores, carried to one thread as other runtimes scale"
        return [*steps, Step(factor["shift"], factor["half_width"], words)]
    return None
