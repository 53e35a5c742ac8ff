"""Results: compare runs, gate a build, write a report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from eamdeploy.api.types import AnyPath, names, store_of

if TYPE_CHECKING:
    from eamdeploy.runs.compare import Comparison
    from eamdeploy.runs.gate import GateResult, Thresholds
    from eamdeploy.runs.store import RunFilter, Store


def compare(a: str, b: str, *, store: AnyPath | Store | None = None) -> Comparison:
    """Compare run B with run A: every difference with its interval.

    Example:
        >>> eamdeploy.compare("latest~1", "latest", store=store).b.device
        'host'

    Args:
        a: a run's id or its beginning, ``latest``, ``latest~1``, an artifact, or a file of runs.
        b: the run to compare with it.
        store: the user's store by default.

    Raises:
        UsageError: a reference names nothing, or several runs.
    """
    from eamdeploy.runs.gate import compare_references

    return compare_references(store_of(store), a, b)


def gate(
    baseline: str,
    current: str | Iterable[str] = (),
    *,
    thresholds: Thresholds | None = None,
    allow_skipped: Iterable[str] = (),
    store: AnyPath | Store | None = None,
) -> GateResult:
    """Hold runs against a baseline; a check fails only when its whole interval lies beyond the threshold.

    Example:
        >>> eamdeploy.gate("latest~1", "latest", thresholds=loose, store=store).verdict
        'passed'

    Args:
        baseline: a file of runs, ``commit:PREFIX``, or a run of the store.
        current: files of runs, or runs; the latest stored runs of the same artifacts by default.
        thresholds: what may change by how much.
        allow_skipped: checks that may pass unjudged, by name: ``latency``, ``accuracy``, …, ``settings``, ``missing``.
        store: the user's store by default.

    Raises:
        UsageError: no baseline, or nothing to hold against it.
    """
    from eamdeploy.runs.gate import run_gate

    return run_gate(store_of(store), baseline, names(current), thresholds=thresholds, allow_skipped=allow_skipped)


def report(
    out: AnyPath = "report.html",
    *,
    where: RunFilter | None = None,
    title: str = "eamdeploy report",
    limit: int = 60,
    attention: Iterable[AnyPath] = (),
    training: Iterable[AnyPath] = (),
    store: AnyPath | Store | None = None,
) -> Path:
    """Write one self-contained HTML page about the stored runs.

    Example:
        >>> eamdeploy.report("report.html", store=store).name
        'report.html'

    Args:
        out: the file to write.
        where: which runs.
        title: of the page.
        limit: at most this many runs, the latest.
        attention: files that ``describe --attention`` printed as JSON.
        training: folders of training runs, whose curves are overlaid.
        store: the user's store by default.

    Raises:
        UsageError: the file cannot be written.
        MissingDependency: without the ``report`` extra.
    """
    from eamdeploy.runs.report import collect, write_html
    from eamdeploy.runs.store import RunFilter

    files = [Path(file) for file in attention]
    runs = [Path(folder) for folder in training]
    material = collect(store_of(store), where or RunFilter(), limit=limit, attention=files, training=runs)
    write_html(Path(out), material, title)
    return Path(out)
