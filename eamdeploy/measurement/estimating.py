"""Where no board is at hand: the latency model's estimate, a run of its own that says what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from devices.latency.estimate.estimate import estimate
from eamdeploy.base.errors import EamdeployError, MissingDependency
from eamdeploy.base.results import Latency, Run, RunVerdict
from eamdeploy.measurement.assembling import new_id
from eamdeploy.measurement.board_job import BenchOutcome
from eamdeploy.measurement.report import Failure
from eamdeploy.measurement.request import BenchCase
from runtimes.readers.artifact_files import artifact_bytes


def add_estimate(outcome: BenchOutcome, case: BenchCase, on_run: Callable[[Run], None]) -> None:
    """Add the estimate of a case to an outcome; or say why there is none: as a failure where nothing else was asked for.

    Args:
        outcome: of a board that is not there, or is not asked.
        case: what would run.
        on_run: is handed the run.
    """
    device = outcome.target.device
    try:
        estimates = estimate(case.artifact, device, case.runtime, threads=case.options.threads)
    except EamdeployError as error:
        _none(outcome, case, error, str(error))
        return
    if estimates.p50_ms is None:
        hint = "measure two networks on such a board, then: eamdeploy devices calibrate"
        why = "; ".join(estimates.notes)
        _none(outcome, case, MissingDependency("there is no latency estimate", where=device, why=why, hint=hint), why)
        return
    run = Run(
        id=new_id(),
        group=outcome.group,
        device=device,
        artifact=str(case.artifact),
        artifact_sha256=case.sha256,
        bytes=artifact_bytes(case.artifact),
        format=case.metadata.format,
        precision=case.metadata.precision or estimates.precision,
        runtime=case.runtime,
        threads=case.options.threads,
        provenance=replace(estimates.provenance, when=datetime.now(UTC).isoformat(timespec="seconds")),
        verdict=RunVerdict("clean"),
        latency_ms=Latency(p50=estimates.p50_ms, interval90=estimates.interval90_ms),
    )
    outcome.runs.append(run)
    on_run(run)


def _none(outcome: BenchOutcome, case: BenchCase, error: EamdeployError, why: str) -> None:
    if outcome.target.kind == "estimated":
        outcome.failures.append(Failure(outcome.target.name, case.title, error))
    else:
        outcome.notes.append(f"no latency estimate for {case.title} on {outcome.target.device}: {why}")
