"""Whether a measurement may be believed, from what the sensors saw while it ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from eamdeploy.base.results import RunVerdict, SensorSample
from eamdeploy.measurement.evidence.statistics import Summary

State = Literal["clean", "suspect", "invalid"]

# vcgencmd get_throttled: what is so now; the same shifted by 16: was so since boot
THROTTLE_BITS = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "soft temperature limit"}
_SINCE_BOOT = 16


@dataclass(frozen=True)
class VerdictLimits:
    """Where a verdict turns.

    Attributes:
        suspect_width: half-width of the median's interval, as a share of the median.
        invalid_width: the same, beyond which the number says nothing.
        suspect_clock: change of the clock during the run, as a share of its highest value.
        invalid_clock: the same, beyond which two different machines were measured.
        other_cpus: processors' worth of time that other programs used, on average.
        swap_mb: growth of the swap space in use.
        swap_io_mb: moved to and from the swap space.
        steal_cpus: processors' worth of time that a hypervisor gave to other machines, on average.
        invalid_quota: share of a CPU quota's periods in which the process was stopped; a single one is suspect.
        suspect_stall: share of time in which some program waited for memory.
        invalid_stall: the same, beyond which the memory was measured and not the network.
    """

    suspect_width: float = 0.05
    invalid_width: float = 0.25
    suspect_clock: float = 0.05
    invalid_clock: float = 0.25
    other_cpus: float = 0.25
    swap_mb: float = 16.0
    swap_io_mb: float = 4.0
    steal_cpus: float = 0.1
    invalid_quota: float = 0.05
    suspect_stall: float = 0.01
    invalid_stall: float = 0.1


@dataclass(frozen=True)
class Evidence:
    """What a verdict is made from.

    Attributes:
        readings: sensor samples of the run, in order.
        summary: of the latencies.
        stable: of each block, whether warm-up became stable.
        cooled: whether every block started below the temperature asked for.
    """

    readings: Sequence[SensorSample]
    summary: Summary
    stable: Sequence[bool]
    cooled: bool = True


def judge(evidence: Evidence, limits: VerdictLimits | None = None) -> RunVerdict:
    """The verdict with all its reasons, the worst first."""
    thresholds = limits or VerdictLimits()
    findings = [finding for check in _CHECKS for finding in check(evidence, thresholds)]
    order: dict[State, int] = {"invalid": 0, "suspect": 1, "clean": 2}
    findings.sort(key=lambda finding: order[finding[0]])
    return RunVerdict(findings[0][0] if findings else "clean", tuple(reason for _, reason in findings))


Finding = tuple[State, str]


def _throttling(evidence: Evidence, _: VerdictLimits) -> list[Finding]:
    bits = [reading.throttled for reading in evidence.readings if reading.throttled is not None]
    findings: list[Finding] = []
    for bit, name in THROTTLE_BITS.items():
        now = any(value >> bit & 1 for value in bits)
        # between two readings: the bit that remembers has come up during the run
        remembered = [value >> (bit + _SINCE_BOOT) & 1 for value in bits]
        since = bool(bits) and not remembered[0] and any(remembered)
        if now or since:
            findings.append(("invalid", f"{name} during the run"))
    return findings


def _clock(evidence: Evidence, limits: VerdictLimits) -> list[Finding]:
    clocks = [reading.clock_mhz for reading in evidence.readings if reading.clock_mhz is not None]
    if not clocks or (change := 1 - min(clocks) / max(clocks)) <= limits.suspect_clock:
        return []
    reason = f"clock changed between {min(clocks):.0f} and {max(clocks):.0f} MHz"
    return [("invalid" if change > limits.invalid_clock else "suspect", reason)]


def _load(evidence: Evidence, limits: VerdictLimits) -> list[Finding]:
    used = [reading.other_cpus for reading in evidence.readings if reading.other_cpus is not None]
    if not used or (mean := sum(used) / len(used)) <= limits.other_cpus:
        return []
    return [("suspect", f"load: other programs used {mean:.1f} CPUs during the run")]


def _width(evidence: Evidence, limits: VerdictLimits) -> list[Finding]:
    width = evidence.summary.relative_width
    if width <= limits.suspect_width:
        return []
    reason = f"too wide: the median is known to within {width:.0%} only"
    return [("invalid" if width > limits.invalid_width else "suspect", reason)]


def _warm_up(evidence: Evidence, _: VerdictLimits) -> list[Finding]:
    if evidence.stable and not any(evidence.stable):
        return [("suspect", "warm-up never became stable")]
    return []


def _swap(evidence: Evidence, limits: VerdictLimits) -> list[Finding]:
    used = [reading.swap_used_mb for reading in evidence.readings if reading.swap_used_mb is not None]
    if used and max(used) - used[0] > limits.swap_mb:
        return [("suspect", f"the board swapped {max(used) - used[0]:.0f} MB during the run")]
    return []


def _swap_traffic(evidence: Evidence, limits: VerdictLimits) -> list[Finding]:
    moved = sum(reading.swap_io_mb or 0.0 for reading in evidence.readings)
    return [("suspect", f"{moved:.0f} MB went to or came from the swap space")] if moved > limits.swap_io_mb else []


def _memory(evidence: Evidence, limits: VerdictLimits) -> list[Finding]:
    stalls = [reading.memory_stall for reading in evidence.readings if reading.memory_stall is not None]
    if not stalls or (mean := sum(stalls) / len(stalls)) <= limits.suspect_stall:
        return []
    reason = f"memory ran short: programs waited for it {mean:.0%} of the time"
    return [("invalid" if mean > limits.invalid_stall else "suspect", reason)]


def _quota(evidence: Evidence, limits: VerdictLimits) -> list[Finding]:
    periods = sum(reading.quota_periods or 0 for reading in evidence.readings)
    stopped = sum(reading.quota_throttled or 0 for reading in evidence.readings)
    if not stopped:
        return []
    reason = f"CPU quota: the kernel stopped the process in {stopped} of {periods} periods"
    return [("invalid" if stopped > limits.invalid_quota * periods else "suspect", reason)]


def _steal(evidence: Evidence, limits: VerdictLimits) -> list[Finding]:
    stolen = [reading.steal_cpus for reading in evidence.readings if reading.steal_cpus is not None]
    if not stolen or (mean := sum(stolen) / len(stolen)) <= limits.steal_cpus:
        return []
    return [("suspect", f"the hypervisor gave {mean:.1f} CPUs of this machine to others during the run")]


def _governor(evidence: Evidence, _: VerdictLimits) -> list[Finding]:
    governors = list(dict.fromkeys(reading.governor for reading in evidence.readings if reading.governor))
    return (
        [("suspect", f"the frequency governor changed during the run: {' to '.join(governors)}")]
        if len(governors) > 1
        else []
    )


def _heat(evidence: Evidence, _: VerdictLimits) -> list[Finding]:
    return [] if evidence.cooled else [("suspect", "the board did not cool down to the temperature asked for")]


_CHECKS: tuple[Callable[[Evidence, VerdictLimits], list[Finding]], ...] = (
    _throttling,
    _clock,
    _load,
    _width,
    _warm_up,
    _swap,
    _swap_traffic,
    _memory,
    _quota,
    _steal,
    _governor,
    _heat,
)
