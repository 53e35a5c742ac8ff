"""Threads: one number a count, from networks that were measured with several."""

from __future__ import annotations

import math

import pytest

from devices.latency.model.speedup import PARALLEL, fit_speedup


def test_the_change_of_each_count_comes_back_though_no_network_has_all() -> None:
    change = {1: 0.0, 2: -0.5, 4: -0.8}
    pairs = [(1, 2), (2, 4), (1, 4), (1, 2, 4)]
    timed = [
        [(n, level + change[n]) for n in counts] for level, counts in zip((1.0, 3.0, 0.2, 5.0), pairs, strict=True)
    ]
    fitted = fit_speedup(timed)
    assert fitted.measured == pytest.approx(change, abs=1e-3)
    assert fitted.scatter == pytest.approx(0, abs=1e-3)
    assert fitted.most == 4


def test_a_count_between_follows_the_share_that_threads_divide() -> None:
    fitted = fit_speedup([[(1, 0.0), (4, math.log(0.4))], [(1, 1.0), (4, 1.0 + math.log(0.4))]])
    assert fitted.parallel == pytest.approx(0.8, abs=1e-3)
    assert fitted.log_change(2) == pytest.approx(math.log(0.6), abs=1e-3)


def test_four_threads_may_be_no_faster_than_three() -> None:
    fitted = fit_speedup([[(1, 0.0), (3, -0.64), (4, -0.62)]] * 3)
    assert fitted.log_change(4) > fitted.log_change(3)


def test_unstated_threads_change_nothing_and_one_count_alone_is_taken_as_usual() -> None:
    assert fit_speedup([[(0, 1.0)], [(0, 2.0)]]).log_change(0) == 0.0
    assert fit_speedup([[(4, 1.0)], [(4, 2.0)]]).parallel == pytest.approx(PARALLEL)
