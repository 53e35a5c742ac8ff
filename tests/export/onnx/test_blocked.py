"""The blocked layout: the same function, NaN where the CPU's block is another, refused where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from eamdeploy.networks.architectures.network import Network
from export.exporter.reference import convolution_layers
from export.exporter.request import ExportRequest
from export.onnx.blocked import DOMAIN, block_filter, block_size, move_to_blocks
from export.onnx.exporter import OnnxExporter
from export.planning.lower import lower
from export.planning.plan import plan_network
from export.planning.sites import find_sites
from export.planning.target import Target, host_machine
from export.registry import get_lowering

pytestmark = pytest.mark.skipif(
    host_machine() != "x86-64" or block_size() is None, reason="ONNX Runtime has no blocked layout on this machine"
)
NetworkMaker = Callable[..., Network]


def run(model: onnx.ModelProto | Path, images: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    content = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    scores: np.ndarray = session.run(None, {"input": images})[0]
    return scores


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"width": 0.5},
        {"arch": "mobilenet_v2", "width": 1.0, "select": "cgr-max"},
        {"width": 0.5, "conv": "dynet", "input_px": 96},
        {"arch": "mobilenet_v3_small", "width": 1.0, "select": "adjacent-1"},
    ],
    ids=["v1", "v2-max", "dynet", "v3"],
)
def test_a_blocked_file_is_the_same_function(make: NetworkMaker, fields: dict[str, object], tmp_path: Path) -> None:
    network = make(**fields)
    side = network.spec.input_px
    plan = plan_network(network, Target(portable=False), (3, side, side))
    blocked = [layer for layer, name in plan.lowerings().items() if name == "blocked"]
    assert len(blocked) > len(plan.layers) // 3
    lowered = lower(network, plan)
    request = ExportRequest((3, side, side), layers=convolution_layers(lowered))
    exported = OnnxExporter()(lowered, tmp_path / "net.onnx", request)
    assert any(f"{len(blocked)} layers are in blocks" in note for note in exported.notes)
    model = onnx.load(str(exported.path))
    assert sum(node.domain == DOMAIN and node.op_type == "Conv" for node in model.graph.node) == len(blocked)
    assert set(exported.tensors["alpha"]) == set(network.dynamic_layers())
    images = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = network(images).numpy()
    np.testing.assert_allclose(
        run(exported.path, images.numpy()), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
    )


@pytest.mark.slow
def test_another_block_answers_nan_instead_of_something_wrong(make: NetworkMaker, tmp_path: Path) -> None:
    network = make(width=0.5)
    lowered = lower(network, plan_network(network, Target(), (3, 32, 32), lowering="aggregate"))
    layers = tuple(network.dynamic_layers())
    request = ExportRequest((3, 32, 32), layers=convolution_layers(lowered), simplify=False)
    model = onnx.load(str(OnnxExporter()(lowered, tmp_path / "net.onnx", request).path))
    other = 8 if block_size() == 16 else 16
    assert move_to_blocks(model, layers, other)
    images = np.random.default_rng(0).standard_normal((1, 3, 32, 32), dtype=np.float32)
    assert np.isnan(run(model, images)).all()


@pytest.mark.parametrize("depthwise", [False, True])
def test_filters_are_ordered_as_the_runtime_orders_them(depthwise: bool) -> None:
    """One element: output channel 17 of 32, input channel 3, top right tap."""
    block = 16
    kernel = np.zeros((32, 1 if depthwise else 32, 3, 3), np.float32)
    kernel[17, 0 if depthwise else 3, 0, 2] = 1
    flat = int(block_filter(kernel, block, depthwise).ravel().argmax())
    if depthwise:  # (O/b, I, kh, kw, b)
        assert flat == 1 * 9 * block + 2 * block + 1
    else:  # (O/b, I/b, kh, kw, b input, b output)
        assert flat == 1 * 2 * 9 * block * block + 2 * block * block + 3 * block + 1


@pytest.mark.parametrize(
    ("target", "word"),
    [
        (Target("litert"), "litert"),
        (Target(machine="aarch64"), "aarch64"),
        (Target(batch=2), "batch is 2"),
        (Target(precision="int8"), "int8"),
        (Target(), "blocks of 16"),
    ],
    ids=str,
)
def test_it_says_where_it_does_not_serve(make: NetworkMaker, target: Target, word: str) -> None:
    site = find_sites(make(width=0.25), (3, 32, 32))[0]
    refusal = get_lowering("blocked").applies(site, target)
    assert refusal is not None
    assert word in refusal.reason
