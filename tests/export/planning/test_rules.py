"""The shipped rules are data: each can match, each serves, and the files say what they mean."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eamdeploy.networks.architectures.network import Network
from export.planning.plan import plan_network
from export.planning.rules import _load, predict_cost_ms
from export.planning.sites import find_sites
from export.planning.target import Target, host_machine
from export.registry import get_lowering

NetworkMaker = Callable[..., Network]


def test_every_rule_names_lowerings_that_exist_and_says_why() -> None:
    for rule in _load("rules.json")["rules"]:
        assert rule["because"]
        for name in rule["prefer"]:
            assert get_lowering(name).name == name


@pytest.mark.parametrize("arch", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"])
@pytest.mark.parametrize(
    "target",
    [
        Target(machine=machine, runtime=runtime, precision=precision, batch=batch)
        for machine in ("x86-64", "aarch64", "riscv64")
        for runtime in ("onnxruntime", "litert")
        for precision in ("fp32", "int8")
        for batch in (1, 4)
    ],
    ids=str,
)
def test_the_rules_leave_no_layer_without_a_choice(make: NetworkMaker, arch: str, target: Target) -> None:
    network = make(arch=arch)
    plan = plan_network(network, target, (3, 32, 32))
    assert len(plan.layers) == len(network.dynamic_layers())


def test_only_a_plan_for_this_very_host_uses_its_layout(make: NetworkMaker) -> None:
    network = make(width=1.0)
    assert "blocked" not in plan_network(network, Target(), (3, 32, 32)).lowerings().values()
    if host_machine() != "x86-64":
        pytest.skip("ONNX Runtime has no blocked layout on this machine")
    lowerings = plan_network(network, Target(portable=False), (3, 32, 32)).lowerings()
    assert set(lowerings.values()) == {"blocked"}


def test_a_cost_grows_with_the_layer(make: NetworkMaker) -> None:
    """Predictions come from measured rows, scaled by the work."""
    sites = {site.path: site for site in find_sites(make(width=1.0, input_px=224), (3, 224, 224))}
    small, large = sites["blocks.5.pointwise.conv"], sites["blocks.12.pointwise.conv"]
    for runtime, name in (("onnxruntime", "aggregate"), ("litert", "matmul")):
        costs = [predict_cost_ms(site, Target(runtime), name) for site in (small, large)]
        assert costs[0] is not None
        assert costs[1] is not None
        assert 0.01 < costs[0] < costs[1] < 100


def test_what_was_not_measured_has_no_cost(make: NetworkMaker) -> None:
    site = find_sites(make(), (3, 32, 32))[0]
    assert predict_cost_ms(site, Target(machine="riscv64"), "aggregate") is None
    assert predict_cost_ms(site, Target(batch=4), "experts") is None
