"""Measured costs: real runtimes, remembered, and refused for another machine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

import export.planning.costs
from eamdeploy.base.errors import UsageError
from eamdeploy.networks.architectures.network import Network
from export.lowerings.base import LayerSite
from export.planning.costs import MeasuredCosts
from export.planning.plan import plan_network
from export.planning.sites import find_sites
from export.planning.target import Target, host_machine
from export.tflite.peephole import operator_kind
from tests.recorded_progress import RecordedProgress

SHAPE = (3, 32, 32)


@pytest.mark.slow
def test_every_serving_lowering_is_timed_once_and_remembered(
    small: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = next(site for site in find_sites(small, SHAPE) if site.path == "blocks.12.pointwise.conv")
    target = Target(machine=host_machine())
    cache = tmp_path / "costs.json"
    serving = ("aggregate", "matmul", "experts")
    progress = RecordedProgress()
    first = MeasuredCosts(cache=cache, rounds=5, progress=progress)(site, target, serving)
    assert set(first) == set(serving)
    assert all(0 < cost < 1000 for cost in first.values())
    assert progress.sentences == ["measuring aggregate, matmul, experts for blocks.12.pointwise.conv on this host"]

    def never(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(export.planning.costs, "measure_layer", never)
    assert MeasuredCosts(cache=cache)(site, target, serving) == first
    other = dataclasses.replace(target, threads=2)
    with pytest.raises(AssertionError, match="measured again"):
        MeasuredCosts(cache=cache)(site, other, serving)


def test_a_damaged_cache_is_an_empty_one(small: Network, tmp_path: Path) -> None:
    cache = tmp_path / "costs.json"
    cache.write_text("{not json")
    site = find_sites(small, SHAPE)[-1]
    costs = MeasuredCosts(cache=cache, rounds=4)(site, Target(machine=host_machine()), ("matmul",))
    assert set(costs) == {"matmul"}
    assert json.loads(cache.read_text())["costs"]


def test_another_machine_cannot_be_measured_here(small: Network, tmp_path: Path) -> None:
    machine = "aarch64" if host_machine() != "aarch64" else "x86-64"
    with pytest.raises(UsageError, match=f"this host is {host_machine()}, and the plan is for {machine}"):
        plan_network(small, Target(machine=machine), SHAPE, costs=MeasuredCosts(cache=tmp_path / "costs.json"))


class ReadingTimer:
    """Times nothing: counts the matrix products that each file has."""

    where, machine = "nowhere", host_machine()

    def __init__(self) -> None:
        self.products: dict[str, int] = {}

    def identity(self, runtime: str) -> dict[str, str]:
        return {"cpu": "none", "runtime": runtime}

    def time(self, artifacts: Mapping[str, Path], target: Target, rounds: int) -> dict[str, float]:
        for name, path in artifacts.items():
            model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
            kinds = [operator_kind(model, operator) for operator in model.subgraphs[0].operators]
            self.products[name] = kinds.count(schema.BuiltinOperator.BATCH_MATMUL)
        return dict.fromkeys(artifacts, 1.0)


def test_a_layer_is_timed_in_the_form_that_a_network_has(small: Network, tmp_path: Path) -> None:
    """Without the bias of its folded batch norm the converter makes an operator of it that no delegate takes."""
    timer = ReadingTimer()
    measured = MeasuredCosts(timer, cache=tmp_path / "costs.json")

    def costs(site: LayerSite, target: Target, serving: tuple[str, ...]) -> Mapping[str, float]:
        if site.path != "blocks.12.pointwise.conv":
            return {}
        assert "matmul" in serving
        return measured(site, target, ("matmul",))

    plan_network(small, Target("litert", machine=host_machine()), SHAPE, costs=costs)
    assert timer.products == {"matmul": 1}
