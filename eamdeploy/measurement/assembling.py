"""Put one run together from what was measured."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import eamdeploy
from devices.runner.bundle import bundle_sha256
from eamdeploy.base.results import AccuracyResult, Conditions, Latency, Provenance, Run, RunVerdict
from eamdeploy.measurement.evidence import conditions as evidence
from eamdeploy.measurement.measuring import MeasuredCase
from eamdeploy.measurement.request import BenchCase
from eamdeploy.measurement.targets import BenchTarget
from runtimes.readers.artifact_files import artifact_bytes


@dataclass
class CaseResult:
    """Everything that was found out about one case on one board.

    Attributes:
        measured: latency, if it was timed.
        accuracy: if it was measured.
        load: an answer to loading the artifact, with versions.
        resumed: images whose outputs came from an earlier, interrupted try.
        instructions: of one inference.
        operators: time per operator.
        has_run: it was loaded and run once, without images.
    """

    case: BenchCase
    measured: MeasuredCase | None = None
    accuracy: AccuracyResult | None = None
    load: Mapping[str, Any] = field(default_factory=dict)
    resumed: int = 0
    instructions: int | None = None
    operators: list[dict[str, Any]] = field(default_factory=list)
    has_run: bool = False

    @property
    def anything(self) -> bool:
        """Whether there is a result at all."""
        timed = self.measured is not None and self.measured.summary is not None
        return (
            timed or self.has_run or self.accuracy is not None or self.instructions is not None or bool(self.operators)
        )


def assemble(result: CaseResult, target: BenchTarget, facts: Mapping[str, str], group: str) -> Run:
    """The run of one case."""
    case, measured = result.case, result.measured
    timed = measured if measured is not None and measured.summary is not None else None
    load = timed.loads[-1] if timed else result.load
    package, _, version = str(load.get("version", case.runtime)).partition(" ")
    facts = dict(facts) | ({"numpy": str(load["numpy"])} if "numpy" in load else {})
    latency = _latency(timed) if timed else None
    return Run(
        id=new_id(),
        group=group,
        device=target.device,
        board=target.board,
        artifact=str(case.artifact),
        artifact_sha256=case.sha256,
        bytes=artifact_bytes(case.artifact),
        format=case.metadata.format,
        precision=case.metadata.precision or "",
        batch=case.batch,
        runtime=case.runtime,
        threads=case.options.threads,
        options={name: value for name, value in vars(case.options).items() if name != "threads"},
        provenance=Provenance(
            kind=target.kind,
            board=facts.get("model") or target.name,
            runtime=package,
            runtime_version=version,
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            note=_note(result),
            versions={
                "eamdeploy": eamdeploy.__version__,
                "runner": bundle_sha256()[:16],
                **{name: facts[name] for name in ("python", "numpy", "kernel", "os", "libc") if name in facts},
            },
        ),
        latency_ms=latency,
        accuracy=result.accuracy,
        instructions=result.instructions,
        memory_mb=timed.peak_mb if timed else None,
        energy_mj=evidence.energy_mj(timed) if timed else None,
        conditions=evidence.conditions(timed, facts) if timed else Conditions(facts=dict(facts)),
        verdict=_verdict(timed),
        per_layer=tuple(result.operators),
    )


def _verdict(timed: MeasuredCase | None) -> RunVerdict:
    if timed is None or timed.summary is None:
        return RunVerdict("clean")
    run_verdict = evidence.verdict(timed, timed.summary)
    if timed.failure is None:
        return run_verdict
    return RunVerdict("invalid", (f"a later block failed: {timed.failure.what}", *run_verdict.reasons))


def _note(result: CaseResult) -> str | None:
    loads = result.measured.loads if result.measured is not None else [result.load]
    built = next((load["engine_build_ms"] for load in loads if load.get("engine_build_ms")), None)
    if built is not None:
        return f"TensorRT built its engine in {built / 1000:.1f} s, which is in no other figure"
    if result.resumed:
        return f"{result.resumed} of the images ran before the link was lost"
    return "it loads and runs; no images were given to compare outputs on" if result.has_run else None


def new_id() -> str:
    """Unique, and sorted by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"


def _latency(measured: MeasuredCase) -> Latency | None:
    summary = measured.summary
    if summary is None:
        return None
    load, first = measured.loads[0], measured.timings[0]
    return Latency(
        p50=summary.p50,
        p90=summary.p90,
        p99=summary.p99,
        mean=summary.mean,
        ci95=summary.ci95,
        samples=tuple(round(sample, 6) for block in measured.blocks for sample in block),
        block=tuple(index for index, block in enumerate(measured.blocks) for _ in block),
        import_ms=load["import_ms"],
        load_ms=load["load_ms"],
        first_ms=first["first_ns"] / 1e6,
        warmup=sum(1 + len(timing["warmup_ns"]) + timing["untimed"] for timing in measured.timings),
    )
