"""The planner: rules, demands, measurements, and what it writes down."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.architectures.network import Network
from export.lowerings.base import LayerSite
from export.planning.lower import lower
from export.planning.plan import plan_network
from export.planning.target import Target

NetworkMaker = Callable[..., Network]
SHAPE = (3, 32, 32)


def test_rules_plan_every_layer_in_order(small: Network) -> None:
    plan = plan_network(small, Target(), SHAPE)
    assert [entry.layer for entry in plan.layers] == list(small.dynamic_layers())
    assert all(entry.reason and entry.refusals for entry in plan.layers)


def test_litert_gets_products_for_its_pointwise_layers(small: Network) -> None:
    lowerings = plan_network(small, Target("litert"), SHAPE).lowerings()
    assert {name for layer, name in lowerings.items() if "pointwise" in layer} == {"matmul"}


def test_a_batch_never_gets_aggregate(small: Network) -> None:
    for target in (Target(batch="dynamic"), Target(batch=8), Target("litert", batch=2)):
        assert "aggregate" not in plan_network(small, target, SHAPE).lowerings().values()


def test_a_static_network_has_nothing_to_plan(make: NetworkMaker) -> None:
    assert plan_network(make(conv="static"), Target(), SHAPE).layers == ()


def test_one_name_is_used_where_it_serves(small: Network) -> None:
    lowerings = plan_network(small, Target(), SHAPE, lowering="taps").lowerings()
    assert {name for layer, name in lowerings.items() if "depthwise" in layer} == {"taps"}
    assert "taps" not in {name for layer, name in lowerings.items() if "depthwise" not in layer}


def test_a_demand_for_one_layer_is_met_or_refused(small: Network) -> None:
    plan = plan_network(small, Target(), SHAPE, lowering={"stem.conv": "experts"})
    assert plan.layers[0].lowering == "experts"
    assert plan.layers[0].reason == "demanded"
    with pytest.raises(UsageError, match="3x3"):
        plan_network(small, Target(), SHAPE, lowering={"stem.conv": "matmul"})
    with pytest.raises(UsageError, match=r"no dynamic layer 'stem\.cnv'"):
        plan_network(small, Target(), SHAPE, lowering={"stem.cnv": "matmul"})


def test_a_name_that_serves_nothing_is_an_error_with_the_reason(small: Network) -> None:
    with pytest.raises(UsageError, match=r"serves no layer.*batch is 4"):
        plan_network(small, Target(batch=4), SHAPE, lowering="aggregate")


def test_measurements_overrule_rules(small: Network) -> None:
    def costs(site: LayerSite, target: Target, serving: tuple[str, ...]) -> Mapping[str, float]:
        return {name: 1.0 if name == "experts" else 2.0 for name in serving}

    plan = plan_network(small, Target(), SHAPE, costs=costs)
    assert set(plan.lowerings().values()) == {"experts"}
    assert plan.layers[0].measured_ms["aggregate"] == 2.0


@pytest.mark.parametrize("lowering", ["auto", "experts", "im2col"])
@pytest.mark.parametrize(
    "target", [Target(), Target("litert"), Target(batch="dynamic")], ids=["ort", "litert", "dynamic"]
)
@pytest.mark.parametrize(
    "fields",
    [
        {"arch": "mobilenet_v2", "select": "cgr-max"},
        {"arch": "mobilenet_v3_small", "conv": "dynet"},
        {"arch": "mobilenet_v1", "pool": "max", "select": "interval", "input_px": 40},
        {"arch": "mobilenet_v1", "padding": "tf-same", "select": "adjacent-3"},
    ],
    ids=["v2", "v3", "max", "same"],
)
def test_a_lowered_network_is_the_same_function(
    make: NetworkMaker, fields: dict[str, object], target: Target, lowering: str
) -> None:
    network = make(**fields).double()
    side = network.spec.input_px
    lowered = lower(network, plan_network(network, target, (3, side, side), lowering=lowering))
    images = torch.randn(2 if target.batch == "dynamic" else 1, 3, side, side, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(lowered(images), network(images), rtol=1e-6, atol=1e-6)


def test_lowering_leaves_the_network_alone(small: Network) -> None:
    before = {name: value.clone() for name, value in small.state_dict().items()}
    lower(small, plan_network(small, Target(), SHAPE))
    after = small.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
