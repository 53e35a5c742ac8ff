"""A rewritten network is an ordinary one: it folds, lowers, saves, loads, and stays what it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.checkpoint import load_checkpoint, save_checkpoint
from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.rewritten import apply_rewrites
from export.exporter.request import ExportRequest
from export.onnx.exporter import OnnxExporter
from export.planning.lower import lower
from export.planning.plan import plan_network
from export.planning.target import Target
from export.rewrites.attention_stats import attention_statistics
from export.rewrites.choice import RewriteChoice, rewrite_network
from tests.export.rewrites.networks import PX, SHAPE, images, moving_network, settle

FORMS = {
    "stem.conv": RewriteChoice("low-rank", 2),
    "blocks.0.depthwise.conv": RewriteChoice("low-rank", 1),
    "blocks.0.pointwise.conv": RewriteChoice("mean-residual", 1, "int8"),
    "blocks.1.depthwise.conv": RewriteChoice("mean-residual", 3, "fp16"),
    "blocks.1.pointwise.conv": RewriteChoice("low-rank", 4),
    "blocks.2.depthwise.conv": RewriteChoice("collapse"),
    "blocks.2.pointwise.conv": RewriteChoice("collapse"),
    "blocks.3.pointwise.conv": RewriteChoice("mean-residual", 2, "fp32"),
}


@pytest.fixture(scope="module")
def network() -> Network:
    return settle(moving_network(1.0))


@pytest.fixture(scope="module")
def rewritten(network: Network) -> Network:
    feeds = [images(16, seed) for seed in range(2)]
    result = rewrite_network(network, FORMS, attention_statistics(network, feeds)).eval()
    assert isinstance(result, Network)
    return result


def test_a_rewrite_changes_the_network(network: Network, rewritten: Network) -> None:
    with torch.no_grad():
        exact, other = network(images(4)), rewritten(images(4))
    assert 1e-3 < float((exact - other).norm() / exact.norm()) < 1


@pytest.mark.parametrize("runtime", ["onnxruntime", "litert"])
def test_lowering_a_rewritten_network_is_exact(rewritten: Network, runtime: str) -> None:
    plan = plan_network(rewritten, Target(runtime=runtime), SHAPE)
    forms = plan.lowerings()
    assert forms["stem.conv"] == forms["blocks.0.depthwise.conv"] == "low-rank"
    assert forms["blocks.0.pointwise.conv"] == forms["blocks.1.depthwise.conv"] == "mean-residual"
    assert "blocks.2.depthwise.conv" not in forms
    with torch.no_grad():
        expected, actual = rewritten(images()), lower(rewritten, plan)(images())
    assert float((actual - expected).abs().max()) <= 2e-5 * float(expected.abs().max())


@pytest.mark.slow
def test_eight_bits_are_eight_bits_in_the_file(rewritten: Network, network: Network, tmp_path: Path) -> None:
    """The stored codes survive export and simplification; the file computes what the network computes."""
    sizes = {}
    for name, source in (("exact", network), ("rewritten", rewritten)):
        plan = plan_network(source, Target(), SHAPE)
        path = tmp_path / f"{name}.onnx"
        OnnxExporter()(lower(source, plan), path, ExportRequest(SHAPE))
        sizes[name] = path.stat().st_size
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        scores = session.run(None, {"input": images().numpy()})[0]
        with torch.no_grad():
            expected = source(images()).numpy()
        assert np.abs(scores - expected).max() <= 5e-5 * np.abs(expected).max()
    assert sizes["rewritten"] < sizes["exact"]


def test_a_checkpoint_keeps_the_rewrites(rewritten: Network, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    # a checkpoint has one temperature for all layers, the fixture one for each
    rewritten = copy.deepcopy(rewritten)
    for module in rewritten.modules():
        if isinstance(module, Attention):
            module.temperature = rewritten.spec.temperature
    save_checkpoint(path, rewritten, preprocessing={"size": PX}, classes=[str(index) for index in range(10)])
    loaded = load_checkpoint(path).network
    assert loaded.rewrites == {layer: choice.to_dict() for layer, choice in FORMS.items()}
    with torch.no_grad():
        assert torch.equal(loaded(images(3)), rewritten(images(3)))


def test_an_unknown_rewrite_is_refused(make: Callable[..., Network]) -> None:
    fresh = make(input_px=PX)
    with pytest.raises(DataError, match=r"unknown rewrite 'magic' \(stem.conv\)"):
        apply_rewrites(fresh, {"stem.conv": {"kind": "magic"}})
    with pytest.raises(DataError, match="no dynamic convolution"):
        apply_rewrites(fresh, {"classifier": {"kind": "collapse"}})


def test_a_layer_is_not_rewritten_twice(rewritten: Network, network: Network) -> None:
    statistics = attention_statistics(network, [images(4)])
    with pytest.raises(UsageError, match="only a dynamic convolution"):
        rewrite_network(rewritten, {"stem.conv": RewriteChoice("collapse")}, statistics)


@pytest.mark.parametrize("name", ["low-rank", "mean-residual"])
@pytest.mark.parametrize("runtime", ["onnxruntime", "litert"])
def test_asked_for_by_name_a_rewrite_is_exact(network: Network, name: str, runtime: str) -> None:
    plan = plan_network(network, Target(runtime=runtime), SHAPE, lowering=name)
    assert set(plan.lowerings().values()) == {name}
    with torch.no_grad():
        expected, actual = network(images()), lower(network, plan)(images())
    assert float((actual - expected).abs().max()) <= 2e-5 * float(expected.abs().max())


def test_collapse_by_name_says_what_it_needs(network: Network) -> None:
    with pytest.raises(UsageError, match="ask with a budget"):
        plan_network(network, Target(), SHAPE, lowering="collapse")


def test_without_a_budget_no_rewrite_is_planned_or_mentioned(network: Network) -> None:
    for runtime in ("onnxruntime", "litert"):
        for entry in plan_network(network, Target(runtime=runtime), SHAPE).layers:
            named = {entry.lowering, *(refusal.lowering for refusal in entry.refusals)}
            assert not named & {"low-rank", "mean-residual", "collapse"}
