"""What is known of one thread, and of ratios, is tested on what was left out."""

from __future__ import annotations

import dataclasses
import math
from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency.gather.grouping import make_groups
from benchmarks.latency.gather.measured_networks import load_networks
from benchmarks.latency.gather.rows import read_rows
from benchmarks.latency.trials.one_thread import evaluate_one_thread, one_thread, one_thread_width
from benchmarks.latency.trials.ratios import evaluate_ratios
from benchmarks.latency.trials.validation import LeftOut
from devices.latency.model.calibration import shipped
from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.instructions import tables
from devices.latency.model.measurements import STATED, MeasurementConditions
from devices.latency.model.populations import POPULATIONS
from devices.latency.model.terms import INDEX, TERMS


@cache
def groups() -> tuple[CalibrationGroup, ...]:
    xnnpack = [p for p in POPULATIONS if p.name.startswith("xnnpack")]
    return tuple(g for p in xnnpack for g in make_groups(read_rows(), load_networks(), p) if len(g.networks) >= 4)


def conditions(board: str, precision: str = "fp32") -> MeasurementConditions:
    return MeasurementConditions(board, "cpu", "TFLite-XNNPACK", "2.18.0", precision, STATED)


def slower(g: CalibrationGroup, factor: float, *, threads: range) -> CalibrationGroup:
    timed = tuple(tuple((n, log + math.log(factor) * (n in threads)) for n, log in runs) for runs in g.timed)
    return dataclasses.replace(g, timed=timed)


def test_only_rows_with_one_thread_speak_for_one() -> None:
    clean = evaluate_one_thread(groups(), tables())
    assert clean
    assert evaluate_one_thread([slower(g, 9, threads=range(2, 9)) for g in groups()], tables()) == clean
    assert all(
        len(runs) == 1
        for g in groups()
        if (alone := one_thread(g))
        for n in alone.timed
        for runs in [{t for t, _ in n}]
    )


def test_a_board_is_not_covered_by_its_own_errors() -> None:
    loud = conditions("Raspberry Pi 5")
    quiet = [conditions(board) for board in ("Raspberry Pi 4B", "Jetson Orin Nano")]
    errors = dict.fromkeys(quiet, (0.1,) * 20) | {loud: (2.0,) * 20}
    assert one_thread_width(loud, errors) == 2.0
    assert one_thread_width(loud, {c: e for c, e in errors.items() if c != loud}) == 0.1
    assert one_thread_width(loud, {loud: (2.0,) * 14}) is None


@given(st.lists(st.floats(-3, 3), min_size=15, max_size=40), st.floats(1, 5))
def test_larger_errors_never_narrow_an_interval(errors: list[float], factor: float) -> None:
    c = conditions("Raspberry Pi 4B")
    width, wider = (one_thread_width(c, {c: [f * e for e in errors]}) for f in (1.0, factor))
    assert width is not None
    assert wider is not None
    assert wider >= width
    assert np.mean(np.abs(errors) <= width) >= 0.9


def test_float_and_int8_speak_for_each_other_but_no_other_runtime_does() -> None:
    float_, int8 = conditions("Raspberry Pi 4B"), conditions("Raspberry Pi 4B", "int8")
    other = dataclasses.replace(float_, runtime="ncnn")
    assert one_thread_width(int8, {float_: (0.3,) * 15, int8: (0.1,) * 2}) == 0.3
    assert one_thread_width(int8, {float_: (0.3,) * 15, int8: (0.1,) * 2, other: (9.0,) * 99}) == 0.3


def test_what_is_shipped_for_one_thread_is_what_its_rows_give() -> None:
    tested = evaluate_one_thread(groups(), tables())
    checked = [c for c in shipped() if c.conditions in tested and c.rate is not None]
    assert {c.conditions.board for c in checked} >= {"Raspberry Pi 4B", "Raspberry Pi 5"}
    for c in checked:
        assert c.rate is not None
        assert c.rate.one_thread == tested[c.conditions].rate, c.name


def pairs(errors: list[float], spread: float) -> tuple[list[LeftOut], CalibrationGroup]:
    """Networks of one size each, so that nothing is shared that would cancel."""
    c = conditions("Raspberry Pi 4B")
    networks = tuple((f"net{i}", "", "") for i in range(len(errors)))
    totals = np.zeros((len(errors), len(TERMS)))
    totals[:, INDEX["macs"]] = 100.0 ** np.arange(len(errors))
    timed = tuple(((1, e),) for e in errors)
    results = [
        LeftOut(c, n, predicted_ms=1.0, measured_ms=math.exp(e), spread=spread)
        for n, e in zip(networks, errors, strict=True)
    ]
    return results, CalibrationGroup(c, networks, totals, timed, ())


def test_ratios_of_independent_errors_are_covered() -> None:
    errors = list(np.random.default_rng(1).normal(0, 0.1, 60))
    results, group = pairs(errors, 0.1)
    tested = evaluate_ratios(results, results, group)
    assert tested is not None
    assert tested.pairs == 60 * 59 / 2
    assert 0.86 <= tested.covered <= 0.95


def test_a_common_error_cancels_in_every_ratio() -> None:
    results, group = pairs([0.5] * 20, 0.1)
    tested = evaluate_ratios(results, results, group)
    assert tested is not None
    assert tested.covered == 1.0
    assert evaluate_ratios(results[:5], results, group) is None
