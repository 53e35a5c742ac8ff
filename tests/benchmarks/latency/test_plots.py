"""A figure is the same to the byte on a processor that sums in another order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.latency.gather.grouping import make_groups
from benchmarks.latency.gather.measured_networks import load_networks
from benchmarks.latency.gather.rows import read_rows
from benchmarks.latency.trials.validation import LeftOut
from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.populations import POPULATIONS

plots = pytest.importorskip("benchmarks.latency.page.plots")


@dataclass(frozen=True)
class Drawn:
    """What a figure is drawn from."""

    groups: list[CalibrationGroup]
    by_network: list[LeftOut]
    by_family: list[LeftOut]


def test_the_last_digit_of_a_prediction_changes_no_figure(tmp_path: Path) -> None:
    kind = next(p for p in POPULATIONS if p.name == "xnnpack-int8")
    groups = [g for g in make_groups(read_rows(), load_networks(), kind) if g.conditions.board == "Raspberry Pi 5"]
    random = np.random.default_rng(0)
    results = [
        LeftOut(
            g.conditions,
            n,
            predicted_ms=float(np.exp(log + random.normal(0, 0.1))),
            measured_ms=float(np.exp(log)),
            spread=0.1,
        )
        for g in groups
        for n, log in zip(g.networks, g.log_ms, strict=True)
    ]
    assert len(results) >= 5
    files = []
    for factor in (1.0, 1.0 + 1e-13, 1.01):
        moved = [replace(r, predicted_ms=r.predicted_ms * factor) for r in results]
        ((_, path),) = plots.plot_boards([Drawn(groups, moved, moved)], tmp_path / str(factor))
        files.append(path.read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]
