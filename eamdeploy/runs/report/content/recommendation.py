"""Which variant to ship, in words: from measured runs whose own evidence does not speak against them."""

from __future__ import annotations

from collections.abc import Sequence

from eamdeploy.base.results import Run
from eamdeploy.runs.report.content import words

_MUCH_FASTER = 1.5  # a variant that trades accuracy for less than this is not worth a sentence


def trusted(runs: Sequence[Run]) -> list[Run]:
    """The runs that may be called the best at something: measured, not invalid, with the interval of the median."""
    return [
        run for run in runs
        if run.verdict.state != "invalid" and words.latency_kind(run) == "measured" and words.latency_interval(run) is not None
    ]  # fmt: skip


def fastest_of(runs: Sequence[Run]) -> list[Run]:
    """The fastest run, and those that are as fast as far as the measurement can tell."""
    if not runs:
        return []
    ordered = sorted(runs, key=_p50)
    bound = (words.latency_interval(ordered[0]) or (0.0, _p50(ordered[0])))[1]
    return [run for run in ordered if (words.latency_interval(run) or (_p50(run), 0.0))[0] <= bound]


def shipped(runs: Sequence[Run]) -> list[Run]:
    """The run to ship and those that are as fast as far as can be told; none where no measured run has an accuracy."""
    return fastest_of(as_accurate(runs))


def as_accurate(runs: Sequence[Run]) -> list[Run]:
    """The trusted runs that are as accurate as the best, as far as their images can tell."""
    rated_runs = [run for run in trusted(runs) if run.accuracy is not None]
    best = max((_lowest(run) for run in rated_runs), default=0.0)
    return [run for run in rated_runs if _highest(run) >= best and words.accuracy_figure(run) >= best]


def ranked(runs: Sequence[Run]) -> list[tuple[str, Run]]:
    """The runs of one machine, best first, each with its rank: tied ones share it, those that cannot be trusted have none."""
    good, left = as_accurate(runs), trusted(runs)
    rows: list[tuple[str, Run]] = []
    for group in (good, [run for run in left if run not in good]):
        rest = list(group)
        while rest:
            tied = fastest_of(rest)
            rank = f"{len(rows) + 1}{'=' if len(tied) > 1 else ''}"
            rows += [(rank, run) for run in tied]
            rest = [run for run in rest if run not in tied]
    unranked = sorted((run for run in runs if run not in left), key=_p50)
    return rows + [("–", run) for run in unranked]


def recommendation(runs: Sequence[Run]) -> str:
    """One or two sentences on the runs of one machine, or why there is none."""
    usable = trusted(runs)
    rated_runs = [run for run in usable if run.accuracy is not None]
    if not rated_runs:
        why = "no run was measured" if not usable else "no measured run has an accuracy"
        invalid = sum(run.verdict.state == "invalid" for run in runs)
        return f"No recommendation: {why}" + (f" ({invalid} invalid)." if invalid else ".")
    good = as_accurate(runs)
    ship, *tied = fastest_of(good)
    sentences = [
        f"Ship {words.artifact(ship)} ({words.setting(ship)}): {words.figure(_p50(ship))} ms, {words.accuracy_figure(ship):.1f} %."
    ]
    if tied:
        as_fast = " or ".join(words.artifact(run) for run in tied[:3])
        sentences.append(f"No difference in latency is shown between it and {as_fast}.")
    if (note := _int8(ship, usable)) is not None:
        sentences.append(note)
    cheaper = [run for run in rated_runs if run not in good and _p50(run) * _MUCH_FASTER < _p50(ship)]
    if cheaper:
        other = min(cheaper, key=_p50)
        times = _p50(ship) / _p50(other)
        sentences.append(
            f"{words.artifact(other)} is {times:.1f} times faster at {words.accuracy_figure(other):.1f} %."
        )
    return " ".join(sentences)


def _int8(ship: Run, usable: Sequence[Run]) -> str | None:
    if ship.precision != "fp32":
        return None
    quantized = [run for run in usable if run.precision == "int8" and run.format == ship.format]
    if quantized and all(run not in fastest_of([ship, run]) or _p50(run) > _p50(ship) for run in quantized):
        return "int8 is not faster here."
    return None


def _p50(run: Run) -> float:
    return run.latency_ms.p50 if run.latency_ms else float("inf")


def _lowest(run: Run) -> float:
    interval = words.accuracy_interval(run)
    return interval[0] if interval else float("-inf")


def _highest(run: Run) -> float:
    interval = words.accuracy_interval(run)
    return interval[1] if interval else float("-inf")
