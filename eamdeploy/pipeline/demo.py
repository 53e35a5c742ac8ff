"""The whole path on a shipped checkpoint and the embedded images: the commands a user would type, run one after the other."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base import processes
from eamdeploy.base.errors import EamdeployError, MeasurementError, MissingDependency
from eamdeploy.networks.zoo.shipped import shipped_names

DATA_OF_SAMPLE = "fashion-mnist"


@dataclass(frozen=True)
class DemoStep:
    """One command of the demo.

    Attributes:
        title: what it shows.
        words: what follows ``eamdeploy``.
        answers: exit codes besides 0 that answer the question, so that the demo goes on.
    """

    title: str
    words: tuple[str, ...]
    answers: tuple[int, ...] = ()


@dataclass(frozen=True)
class DemoResult:
    """A finished demo.

    Attributes:
        report: the page that was written.
        seconds: of each step, in order.
    """

    report: Path
    seconds: tuple[tuple[str, float], ...]


class DemoFailed(EamdeployError):
    """A step failed; its own message is already on stderr, its exit code becomes ours."""

    def __init__(self, step: DemoStep, exit_code: int) -> None:
        super().__init__(f"the demo stopped at: eamdeploy {' '.join(step.words)}")
        self.exit_code = exit_code


def sample_checkpoint() -> str:
    """The shipped checkpoint that fits the embedded sample.

    Raises:
        MissingDependency: in a package without it.
    """
    names = [name for name in shipped_names() if name.startswith(DATA_OF_SAMPLE)]
    if not names:
        raise MissingDependency("the shipped checkpoint is missing", hint="install eamdeploy again")
    return names[0]


def plan_demo(out: Path) -> list[DemoStep]:
    """The commands, fitted to what is installed: TFLite only where its converter is."""
    checkpoint = sample_checkpoint()
    formats = ["onnx"]
    if all(importlib.util.find_spec(name) for name in ("litert_torch", "ai_edge_litert", "ai_edge_quantizer")):
        formats.append("tflite")
    fp32 = [str(out / f"{checkpoint}.{suffix}") for suffix in formats]
    int8 = [str(out / f"{checkpoint}-int8.{suffix}") for suffix in formats]
    store = str(out / "runs.db")
    return [
        DemoStep("What the network costs", ("describe", checkpoint)),
        DemoStep(
            "Export, quantize and verify on real images",
            ("export", checkpoint, "--format", ",".join(formats), "--precision", "fp32,int8", "--out", str(out)),
        ),
        DemoStep("Verify the file again, as a CI job would", ("verify", fp32[0], "--against", checkpoint)),
        DemoStep(
            "Measure on this machine, interleaved",
            ("bench", *fp32, *int8, "--device", "host", "--accuracy", "--runs", "100", "--store", store),
        ),
        *(
            # that nothing measured is close enough to estimate from is an answer too
            DemoStep(
                "Estimate on a Raspberry Pi 4", ("estimate", file, "--device", "pi4"), (MissingDependency.exit_code,)
            )
            for file in (fp32[-1], int8[-1])
        ),
        DemoStep("One page with everything", ("report", "--store", store, "--out", str(out / "report.html"))),
    ]


def run_demo(out: Path, say: Callable[[DemoStep], None]) -> DemoResult:
    """Run the demo into ``out``; each command's own output goes where ours goes.

    Raises:
        DemoFailed: when a command fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    durations = []
    for step in plan_demo(out):
        say(step)
        started = time.perf_counter()
        code = _run(step.words)
        # a busy machine makes a measurement invalid, and the report says so; the demo goes on
        if code not in (0, MeasurementError.exit_code, *step.answers):
            raise DemoFailed(step, code)
        durations.append((step.title, time.perf_counter() - started))
    return DemoResult(out / "report.html", tuple(durations))


def _run(words: Sequence[str]) -> int:
    sys.stdout.flush()
    return processes.run_attached(processes.eamdeploy_command(*words))
