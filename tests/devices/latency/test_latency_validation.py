"""The tests of the model are themselves tested: what is left out must be left out."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

from devices.latency.groups import Group, make_groups
from devices.latency.measurements import family, read_rows
from devices.latency.networks import load_networks
from devices.latency.populations import POPULATIONS, Population
from devices.latency.rebuild import Evaluated, calibrations, evaluate_population
from devices.latency.validation import LeftOut, choose_anchors, coverage, leave_out, quantile


def population(name: str) -> Population:
    return next(p for p in POPULATIONS if p.name == name)


@cache
def groups(name: str) -> tuple[Group, ...]:
    return tuple(g for g in make_groups(read_rows(), load_networks(), population(name)) if len(g.networks) >= 4)


def poisoned(some: tuple[Group, ...], label: str, by: str) -> list[Group]:
    """Multiply what is to be left out by a hundred, everywhere."""
    out = []
    for g in some:
        labels = [n[0] if by == "name" else family(n[0]) for n in g.networks]
        runs = tuple(
            tuple(r + np.log(100) for r in runs) if at == label else runs
            for runs, at in zip(g.runs, labels, strict=True)
        )
        out.append(dataclasses.replace(g, runs=runs))
    return out


def test_a_left_out_family_was_not_seen_by_any_board() -> None:
    kind, name = population("armnn-gpu-int8"), "mobilenet_v1"
    clean, dirty = (
        {(r.conditions, r.network): (r.family, r.predicted_ms) for r in leave_out(some, kind, "family")}
        for some in (groups(kind.name), poisoned(groups(kind.name), name, "family"))
    )
    assert {f for f, _ in clean.values()} >= {name, "mobilenet_v2"}
    changed = {f for key, (f, ms) in dirty.items() if ms != pytest.approx(clean[key][1], rel=1e-9)}
    assert name not in changed, "its own prediction does not know that it was multiplied"
    assert "mobilenet_v2" in changed, "others', fitted with it, do"


def test_a_left_out_network_was_not_seen_though_it_was_measured_twice() -> None:
    twice = [g for g in groups("tflite-int8") if g.rows > len(g.networks)]
    assert twice, "some calibration holds repeated runs"
    g = twice[0]
    held = g.networks[0]
    rest = leave_out([g], population("tflite-int8"), "network")
    louder = dataclasses.replace(g, runs=(tuple(r + 3 for r in g.runs[0]), *g.runs[1:]))
    again = leave_out([louder], population("tflite-int8"), "network")
    before, after = ({r.predicted_ms for r in results if r.network == held} for results in (rest, again))
    assert len(before) == 1, "all its runs are predicted by one fit"
    assert before.pop() == pytest.approx(after.pop(), rel=1e-9)


def test_the_conformal_quantile_is_the_textbook_one() -> None:
    assert quantile(range(1, 20)) == 18  # ceil(0.9 * 20)
    assert quantile([5.0]) == 5.0
    with pytest.raises(ValueError, match="no scores"):
        quantile([])


def test_intervals_of_exchangeable_errors_cover_nine_in_ten(rng: np.random.Generator) -> None:
    conditions = groups("tflite-int8")[0].conditions
    results = [
        LeftOut(conditions, (f"n{i}", "", "224"), 1.0, float(np.exp(0.1 * e)), 0.1)
        for i, e in enumerate(rng.standard_t(3, size=400))
    ]
    assert 0.88 <= coverage(results, "network") <= 0.92


def test_anchors_are_chosen_without_looking_at_latencies() -> None:
    from devices.latency.calibrate import population_priors

    g = groups("tflite-int8")[0]
    priors = dict(population_priors("tflite-int8"))
    first, second = choose_anchors(g.totals, priors)
    assert first != second
    order = np.argsort(g.totals[:, 0])
    shuffled = choose_anchors(g.totals[order], priors)
    assert {int(order[i]) for i in shuffled} == {first, second}


@cache
def evaluated(name: str) -> Evaluated:
    done = evaluate_population(read_rows(), population(name))
    assert done is not None
    return done


@pytest.mark.slow
@pytest.mark.parametrize(("name", "network", "by_family"), [("tflite-fp32", 7.5, 12.0), ("tflite-int8", 3.8, 8.0)])
def test_pi4_tflite_errors_stay_within_what_is_promised(name: str, network: float, by_family: float) -> None:
    pi4 = [
        c
        for c in calibrations(evaluated(name))
        if c.conditions.board == "Raspberry Pi 4B" and c.conditions.version == "2.7.1"
    ]
    assert len(pi4) == 1
    assert pi4[0].tests["leave_network_out"]["mean_abs_percent"] <= network
    assert pi4[0].tests["leave_family_out"]["mean_abs_percent"] <= by_family


@pytest.mark.slow
@pytest.mark.parametrize(("name", "limit"), [("tflite-fp32", 20.0), ("tflite-int8", 12.0)])
def test_two_anchors_are_enough_for_a_board_that_was_held_out(name: str, limit: float) -> None:
    for c, results in evaluated(name).by_board.items():
        if c.board == "Raspberry Pi 4B":
            assert 100 * np.mean([abs(r.error) for r in results]) <= limit


def test_every_shipped_calibration_reports_its_errors() -> None:
    from devices.latency.calibration import shipped

    assert len(shipped()) > 50
    for c in shipped():
        one = c.tests["leave_network_out"]
        assert one["n"] == c.rows, c.name
        assert one["mean_abs_percent"] > 0
        assert c.sources, c.name
        assert 0 < c.half_width(0.05, fitted=True) <= c.half_width(0.05, fitted=False)
