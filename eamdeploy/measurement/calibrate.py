"""From the store of runs to a calibrated latency model: which runs count, and whose artifacts are still there."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devices.latency.calibrate.refit import MeasuredRun, calibrate_all
from devices.latency.model.calibration import Calibration
from eamdeploy.base.decoding import TimedRun
from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Run
from runtimes.readers.artifact_files import artifact_sha256


@dataclass(frozen=True)
class Calibrated:
    """What was fitted, and which runs could not be used, with the reason."""

    calibrations: tuple[Calibration, ...]
    runs: int
    skipped: tuple[str, ...]


def calibrate_from_runs(
    runs: Iterable[Run] | Iterable[TimedRun], *, device: str | None = None, out: Path | None = None
) -> Calibrated:
    """Fit from measured runs: batch 1, a clean or merely suspect verdict, the artifact unchanged since.

    Args:
        runs: of the store; for a long history its ``timed_runs``.
        device: only this board or profile; None for all.
        out: where the calibrations go; the user's data folder by default.

    Raises:
        UsageError: when no run can be used, or too few networks were measured.
    """
    used, skipped = [], []
    # thousands of runs are of a few files
    digests: dict[str, str | None] = {}
    path_of = functools.cache(Path)
    for run in runs:
        if device is not None and device not in (run.board, run.device):
            continue
        why = _unusable(run, digests)
        if why:
            skipped.append(f"{run.id}: {why}")
        else:
            used.append(_measured(run, path_of(run.artifact)))
    if not used:
        why = "; ".join(sorted({s.partition(": ")[2] for s in skipped})) or "the store has none"
        where = device or "the store"
        raise UsageError(
            "no measured run to calibrate from", where=where, why=why, hint="bench two networks on the board first"
        )
    calibrations, short = calibrate_all(used, out)
    return Calibrated(tuple(calibrations), sum(c.rows for c in calibrations), (*skipped, *short))


def _unusable(run: Run | TimedRun, digests: dict[str, str | None]) -> str | None:
    if run.provenance.kind != "measured" or run.latency_ms is None:
        return "its latency was not measured"
    if run.batch != 1:
        return "its batch is not 1"
    if run.verdict.state == "invalid":
        return "its verdict is invalid"
    if run.artifact not in digests:
        path = Path(run.artifact)
        digests[run.artifact] = artifact_sha256(path) if path.is_file() else None
    if digests[run.artifact] is None:
        return "its artifact is gone"
    if run.artifact_sha256 and digests[run.artifact] != run.artifact_sha256:
        return "its artifact has changed"
    return None


def _measured(run: Run | TimedRun, path: Path) -> MeasuredRun:
    if run.latency_ms is None:
        raise ValueError("a run without a latency")
    return MeasuredRun(
        path,
        run.latency_ms.p50,
        device=run.board or run.device,
        runtime=run.runtime,
        runtime_version=run.provenance.runtime_version,
        precision=run.precision or "fp32",
        threads=run.threads,
        source=run.id,
        profile=run.device,
    )
