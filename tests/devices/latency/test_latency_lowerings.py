"""Dynamic layers are counted as they were lowered, in files the project's own exporter wrote."""

from __future__ import annotations

import pytest

from devices.latency.graph.extract import extract_features
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.spec import ArchSpec
from runtimes.readers.metadata import read_metadata

SPEC = ArchSpec(arch="mobilenet_v1", width=0.25, input_px=32, classes=10, conv="eam")


def sums(path) -> dict[str, int]:
    out: dict[str, int] = {}
    for r in extract_features(path).records:
        out[r.kind] = out.get(r.kind, 0) + r.macs
    return out


@pytest.mark.slow
def test_static_twin_has_neither_aggregation_nor_attention(export_network) -> None:
    features = extract_features(export_network(conv="static"))
    assert not features.is_dynamic
    assert features.family == "mobilenet_v1"


@pytest.mark.slow
def test_aggregation_reads_each_bank_once(export_network) -> None:
    features = extract_features(export_network(conv="eam", lowering="aggregate"))
    bank = sum(m.bank.numel() for m in build(SPEC).modules() if isinstance(m, AttentionConv2d))
    aggregated = [r for r in features.records if r.kind == "aggregation"]
    # every bank element is multiplied by its alpha once, and stored constants are read once
    assert sum(r.macs for r in aggregated) == bank
    assert sum(r.weights for r in aggregated) == bank
    assert {r.layer for r in aggregated} == {
        n for n, m in build(SPEC).named_modules() if isinstance(m, AttentionConv2d)
    }
    assert features.is_dynamic


@pytest.mark.slow
def test_convolutions_of_the_aggregated_network_are_those_of_the_twin(export_network) -> None:
    static, dynamic = sums(export_network(conv="static")), sums(export_network(conv="eam", lowering="aggregate"))
    for kind in ("full", "depthwise", "pointwise"):
        assert dynamic[kind] == static[kind]
    assert dynamic["attention"] > 0


@pytest.mark.slow
def test_experts_cost_k_convolutions(export_network) -> None:
    static, experts = sums(export_network(conv="static")), sums(export_network(conv="eam", lowering="experts"))
    kinds = ("full", "depthwise", "pointwise", "grouped")
    assert sum(experts.get(k, 0) for k in kinds) == SPEC.kernels * sum(static.get(k, 0) for k in kinds)


@pytest.mark.slow
def test_matmul_lowering_is_a_product_of_computed_operands(export_network) -> None:
    path = export_network(conv="eam", lowering="matmul")
    static, product = sums(export_network(conv="static")), sums(path)
    assert product["matmul"] == static["pointwise"]
    assert product.get("pointwise", 0) == 0
    # a matrix product serves 1x1 alone: what the planner gave the other layers stands in the file
    aggregated = [e["layer"] for e in read_metadata(path).plan if e["lowering"] in ("matmul", "aggregate")]
    network = build(SPEC)
    banks = [network.get_submodule(layer) for layer in aggregated]
    assert sum(m.bank.numel() for m in banks if isinstance(m, AttentionConv2d)) == product["aggregation"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("lowering", ["taps", "im2col"])
def test_other_lowerings_leave_no_layer_uncounted(export_network, lowering: str) -> None:
    features = extract_features(export_network(conv="eam", lowering=lowering, batch=1))
    counted = {r.layer for r in features.records}
    assert {n for n, m in build(SPEC).named_modules() if isinstance(m, AttentionConv2d)} <= counted
    assert features.macs > extract_features(export_network(conv="static")).macs * 0.5
