from __future__ import annotations

import pytest

from eamdeploy.base.results import SensorSample
from eamdeploy.measurement.evidence.statistics import Summary
from eamdeploy.measurement.evidence.verdict import Evidence, judge

NARROW = Summary(10.0, 11.0, 12.0, 10.2, (9.9, 10.1))


def verdict(*readings, summary=NARROW, stable=(True,), cooled=True):
    samples = [SensorSample(t_s=float(index), **reading) for index, reading in enumerate(readings)]
    return judge(Evidence(samples, summary, stable, cooled))


def test_no_sensors_at_all_is_no_reason_for_doubt():
    assert verdict({}, {}).state == "clean"


@pytest.mark.parametrize(
    ("bits", "state", "words"),
    [
        ([0x0, 0x0], "clean", None),
        ([0x0, 0x1], "invalid", "under-voltage"),
        ([0x4, 0x4], "invalid", "throttled"),
        ([0x0, 0x2, 0x0], "invalid", "clock capped"),
        ([0x0, 0x8], "invalid", "soft temperature limit"),
        # since boot, but before this run
        ([0x50000, 0x50000], "clean", None),
        # between two readings, and over again
        ([0x0, 0x40000], "invalid", "throttled"),
    ],
)
def test_throttle_bits(bits, state, words):
    run_verdict = verdict(*({"throttled": value} for value in bits))
    assert run_verdict.state == state
    assert (words is None and not run_verdict.reasons) or words in run_verdict.reasons[0]


@pytest.mark.parametrize(
    ("clocks", "state"),
    [([1500, 1500], "clean"), ([1500, 1480], "clean"), ([1500, 1350], "suspect"), ([1500, 600, 1500], "invalid")],
)
def test_clock(clocks, state):
    assert verdict(*({"clock_mhz": float(value)} for value in clocks)).state == state


@pytest.mark.parametrize(("used", "state"), [([0.05, 0.1], "clean"), ([0.5, 1.2], "suspect")])
def test_load(used, state):
    assert verdict(*({"other_cpus": value} for value in used)).state == state


@pytest.mark.parametrize(
    ("interval", "state"), [((9.9, 10.1), "clean"), ((9.0, 11.0), "suspect"), ((6.0, 14.0), "invalid")]
)
def test_width(interval, state):
    assert verdict(summary=Summary(10.0, 11.0, 12.0, 10.0, interval)).state == state


def test_warm_up_swap_and_heat_make_suspect():
    assert verdict(stable=(False, False)).state == "suspect"
    assert verdict(stable=(False, True)).state == "clean"
    assert verdict({"swap_used_mb": 0.0}, {"swap_used_mb": 90.0}).reasons == ("the board swapped 90 MB during the run",)
    assert verdict(cooled=False).state == "suspect"


def test_all_reasons_are_given_the_worst_first():
    run_verdict = verdict({"other_cpus": 1.0, "throttled": 0}, {"other_cpus": 1.0, "throttled": 4}, stable=(False,))
    assert run_verdict.state == "invalid"
    assert len(run_verdict.reasons) == 3
    assert "throttled" in run_verdict.reasons[0]


@pytest.mark.parametrize(
    ("readings", "state", "words"),
    [
        (
            [{"quota_periods": 50, "quota_throttled": 49}, {"quota_periods": 3, "quota_throttled": 3}],
            "invalid",
            "52 of 53",
        ),
        ([{"quota_periods": 100, "quota_throttled": 1}], "suspect", "1 of 100"),
        ([{"quota_periods": 100, "quota_throttled": 0}], "clean", ""),
        ([{"memory_stall": 0.03}, {"memory_stall": 0.05}], "suspect", "4% of the time"),
        ([{"memory_stall": 0.4}], "invalid", "memory ran short"),
        ([{"swap_io_mb": 3.0}, {"swap_io_mb": 3.0}], "suspect", "6 MB"),
        ([{"steal_cpus": 0.3}, {"steal_cpus": 0.2}], "suspect", "hypervisor"),
        ([{"governor": "performance"}, {"governor": "powersave"}], "suspect", "performance to powersave"),
        ([{"clock_mhz": 1512.0}, {"clock_mhz": 600.0}], "invalid", "between 600 and 1512 MHz"),
    ],
)
def test_what_slows_a_run_from_outside(readings, state, words):
    run_verdict = verdict(*readings)
    assert run_verdict.state == state
    assert words in " ".join(run_verdict.reasons)
