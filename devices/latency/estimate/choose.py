"""Which calibrations could serve an estimate, and what has to be carried over to use each."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import resources
from typing import Any

from devices.latency.model.calibration import Calibration
from devices.latency.model.hardware import BoardHardware, board_of, boards, instruction_set, likeness, log_speed_ratio
from devices.latency.model.instructions import BUILT_IN, WITH_XNNPACK, own_table
from devices.latency.model.measurements import STATED

# a .tflite file runs under LiteRT, whose CPU kernels are TFLite's, most of them XNNPACK's
RUNTIMES: dict[str, tuple[str, ...]] = {
    "litert": ("TFLite", "TFLite-XNNPACK"),
    "tflite": ("TFLite", "TFLite-XNNPACK"),
    "executorch": ("ExecuTorch-XNNPACK",),
    "armnn": ("ArmNN-Neon",),
    "ncnn": ("ncnn",),
    "mnn": ("MNN",),
    "onnxruntime": ("ONNXRuntime",),
    "openvino": ("OpenVINO",),
    "opencv": ("OpenCV-DNN",),
    "pytorch": ("PyTorch", "TorchScript"),
    "tengine": ("Tengine-Lite",),
}
# whose measurements stand in for a runtime that has none near
STAND_INS = (
    "TFLite",
    "TFLite-XNNPACK",
    "ONNXRuntime",
    "ArmNN-Neon",
    "ncnn",
    "MNN",
    "Tengine-Lite",
    "XNNPACK(end2end_bench)",
)
COMPUTES_FP16 = ("ncnn", "MNN")  # in fp16 where the core can, whatever the file holds
OLD_SYSTEM = "32-bit"
MUCH = 1.0  # less work than measured, in the logarithm, from which one thread is assumed
LOST = 0.1  # of what threads bring, for each unit of the logarithm that a network is smaller than measured ones
ENOUGH = 12  # networks from which a newer version is preferred over a better measured one


@dataclass(frozen=True)
class TransferStep:
    """One thing carried over: how it changes the logarithm of the latency, how far that may be off, in words."""

    shift: float
    half_width: float
    words: str


@dataclass(frozen=True)
class CalibrationChoice:
    """A calibration and the way from it to what was asked for.

    Attributes:
        threads: that the estimate is for; None where the publisher does not state them and nobody asked.
        thread_shift: what carries the calibration's one thread to them, in the logarithm.
        counted_for: a runtime whose instructions are taken at this calibration's rate, which is another runtime's.
    """

    calibration: Calibration
    steps: tuple[TransferStep, ...]
    threads: int | None = None
    thread_shift: float = 0.0
    counted_for: str | None = None

    @property
    def half_width(self) -> float:
        """Of all steps; independent, so their squares add."""
        return float(sum(s.half_width**2 for s in self.steps) ** 0.5)

    @property
    def shift(self) -> float:
        """Of all steps and of the threads."""
        return sum(s.shift for s in self.steps) + self.thread_shift


@cache
def transfers() -> dict[str, Any]:
    """The shipped factors."""
    text = resources.files("devices.latency").joinpath("data/transfers.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def rank(version: str, networks: int) -> tuple[bool, tuple[int, ...], int]:
    """Orders calibrations of one board and runtime: enough networks first, then the newest, then the largest."""
    return networks >= ENOUGH, tuple(int(n) for n in re.findall(r"\d+", version)), networks


def choices(
    calibrations: Sequence[Calibration],
    device: str,
    *,
    runtime: str,
    precision: str,
    threads: int | None,
    smaller: Callable[[Calibration], float] = lambda _: 0.0,
) -> list[CalibrationChoice]:
    """Every calibration that could serve, with what is carried over; the user's own alone where there are any.

    A calibration of another precision never serves, and of several versions only the newest that is well measured.

    Args:
        calibrations, device, runtime, precision, threads: as in `estimate`.
        smaller: how much less work the network is than all that a calibration measured (logarithm, 0 where it is not): threads
            help it less than was measured.
    """
    target, runtime_names = board_of(device), RUNTIMES.get(runtime, (runtime,))
    precisions = (precision,) if precision == "int8" else ("fp32", "fp16")
    choices_so_far = []
    for c in _newest(calibrations):
        if c.conditions.processor != "cpu" or c.conditions.precision not in precisions:
            continue
        way = partial(
            _choice,
            c,
            device,
            target=target,
            runtime_names=runtime_names,
            precision=precision,
            threads=threads,
            smaller=smaller(c),
        )
        choices_so_far += [choice for choice in (way(), *_counted(c, target, runtime_names, way)) if choice is not None]
    measured_choices = [f for f in choices_so_far if f.calibration.origin == "measured"]
    return measured_choices or choices_so_far


def _counted(
    c: Calibration,
    target: BoardHardware | None,
    runtime_names: tuple[str, ...],
    way: Callable[..., CalibrationChoice | None],
) -> list[CalibrationChoice | None]:
    """The instructions of the runtime asked for, at the rate of another one, where the kernels of both were counted."""
    k = c.conditions
    target_set = instruction_set(target)
    if c.origin == "measured" or c.rate is None or k.precision == "fp16":
        return []
    # a file runs with XNNPACK today, also where the rows are of TFLite without
    counted_for = WITH_XNNPACK if WITH_XNNPACK in runtime_names else runtime_names[0]
    if k.runtime in runtime_names and c.rate.runtime != BUILT_IN:
        return []
    if own_table(k.runtime, k.precision, target_set) is None or own_table(counted_for, k.precision, target_set) is None:
        return []
    return [way(counted_for=counted_for)]


def _newest(calibrations: Iterable[Calibration]) -> list[Calibration]:
    best: dict[tuple[Any, ...], Calibration] = {}
    for c in calibrations:
        k = c.conditions
        if OLD_SYSTEM in k.version:
            continue
        # what states no version is neither newer nor older
        key = (c.origin, k.board, k.processor, k.runtime, k.precision, k.threads, bool(k.version))
        if key not in best or rank(k.version, c.networks) > rank(best[key].conditions.version, best[key].networks):
            best[key] = c
    return list(best.values())


def _choice(
    c: Calibration,
    device: str,
    *,
    target: BoardHardware | None,
    runtime_names: tuple[str, ...],
    precision: str,
    threads: int | None,
    smaller: float,
    counted_for: str | None = None,
) -> CalibrationChoice | None:
    kind = "int8" if precision == "int8" else "float"
    k, steps = c.conditions, []
    source = boards().get(k.board)
    if c.origin == "measured":
        if device not in (k.board, c.profile) or k.runtime not in runtime_names:
            return None
    elif target is None or source is None:
        return None
    elif source.name != target.name:
        step = _board_step(source, target, kind, one_thread=k.threads == STATED)
        if step is None:
            return None
        steps.append(step)
    if counted_for is not None:
        words = f"instructions counted for {_words(runtime_names)}, at the rate of {k.runtime}"
        steps.append(TransferStep(0.0, 0.0, words))
    elif k.runtime not in runtime_names:
        factor = transfers()["runtime"].get(kind, {}).get(k.runtime)
        if factor is None:
            return None
        words = f"transferred from {k.runtime} to {_words(runtime_names)}, as runtimes differ"
        steps.append(TransferStep(factor["shift"], factor["half_width"], words))
    in_fp16 = k.precision == "fp16" and k.runtime in COMPUTES_FP16
    if in_fp16 and not any(r in COMPUTES_FP16 for r in runtime_names):
        return None  # this artifact will not be computed in fp16
    choice = _threaded(c, source if target is None else target, threads, steps, smaller=smaller)
    return choice and replace(choice, counted_for=counted_for)


def _words(runtime_names: tuple[str, ...]) -> str:
    return next(
        (name for name, published in RUNTIMES.items() if published == runtime_names and name != "tflite"),
        runtime_names[0],
    )


def _board_step(source: BoardHardware, target: BoardHardware, kind: str, *, one_thread: bool) -> TransferStep | None:
    if kind == "int8" and source.dot_product != target.dot_product:
        return None
    pair = transfers()["pairs"].get(kind, {}).get(f"{source.name} -> {target.name}")
    if pair is not None:
        words = f"transferred from {source.name}, by networks measured on both"
        return TransferStep(pair["shift"], pair["half_width"], words)
    ratio = log_speed_ratio(source, target)
    factor = transfers()["board"].get(kind, {}).get(likeness(source, target))
    if ratio is None or factor is None:
        return None
    if one_thread:
        ratio += math.log(target.cores / source.cores)
    words = f"transferred from {source.name}, by data sheets"
    return TransferStep(ratio, factor["half_width"], words)


def _threaded(
    c: Calibration, board: BoardHardware | None, threads: int | None, steps: list[TransferStep], *, smaller: float
) -> CalibrationChoice | None:
    """Carry to a thread count; `board` is the one estimated for. A network much smaller than all measured ones is given one."""
    cores = board.cores if board is not None else 0
    k = c.conditions
    if k.threads == STATED:
        n = threads or (1 if smaller > MUCH else min(c.speedup.most, cores or c.speedup.most))
        if n not in c.speedup.measured and n > 1:
            steps = [*steps, TransferStep(0.0, transfers()["speedup"]["half_width"], f"{n} threads were not measured")]
        if smaller and n > 1:
            words = "smaller than every measured network: how much more threads help it is not known"
            steps = [*steps, TransferStep(0.0, abs(c.speedup.log_change(n)) * min(LOST * smaller, 0.5), words)]
        return CalibrationChoice(c, tuple(steps), n, c.speedup.log_change(n))
    if k.threads:
        # the user's own, at one count
        return (
            CalibrationChoice(c, tuple(steps), threads or int(k.threads)) if threads in (None, int(k.threads)) else None
        )
    if threads is None and smaller > MUCH and cores > 1:
        threads = 1  # so little work is not divided, whatever the publisher's networks were run with
    if threads is None or threads >= cores > 0:
        return CalibrationChoice(c, tuple(steps), threads)
    law = transfers()["speedup"]
    parallel = law["parallel"]["int8" if k.precision == "int8" else "float"]

    def change(n: int) -> float:
        return math.log(1 - parallel + parallel / n)

    words = f"threads not stated by the publisher: taken as all {cores} cores, carried to {threads} as others scale"
    step = TransferStep(change(threads) - change(cores), law["half_width"], words)
    return CalibrationChoice(c, (*steps, step), threads)
