"""Kernels whose taps have a gate, in int8: the guaranteed scale holds, and the file computes exactly these codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eamdeploy.training.importing.network.session import import_network
from export.exporter.reference import attention_paths, convolution_layers, mixing_of
from export.exporter.registry import get_exporter
from export.exporter.request import ExportRequest
from export.planning.lower import lower
from export.planning.plan import plan_network
from export.planning.target import Target
from export.quantize.formats import open_quantizer
from export.quantize.onnx.calibrate import session
from export.quantize.scales import LIMIT, WeightsCode, bank_scales, quantize_symmetric, weights_code
from tests.eamdeploy.training.importing.foreign_layers import foreign_network

SHAPE = (3, 16, 16)
LAYER = "body.conv"


@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 8), st.integers(1, 6), st.integers(1, 4), st.integers(1, 9)),
    l1=st.sampled_from([1.0, 2.5]),
    most=st.sampled_from([0.5, 1.0, 2.0, 7.0]),
    signed=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_a_gated_kernel_stays_within_int8(
    seed: int, shape: tuple[int, int, int, int], l1: float, most: float, signed: bool
) -> None:
    """``|W| <= L1(alpha) * max |K| * max tap gate``, in integers too, where weights are rounded."""
    rng = np.random.default_rng(seed)
    bank = rng.standard_normal(shape) * 10.0 ** rng.uniform(-6, 6, (1, shape[1], 1, 1))
    alpha = rng.dirichlet(np.full(shape[0], 0.3)) * (rng.choice([-1, 1], shape[0]) if signed else 1.0)
    alpha = alpha * min(l1, 1 / np.abs(alpha).max())  # no weight is larger than 1
    gate = rng.choice([0.0, most / 3, most], shape[3])
    code = WeightsCode(l1, signed, most)
    flat = bank.reshape(shape[0], shape[1], -1)
    codes = quantize_symmetric(flat, bank_scales(flat), axis=1).reshape(shape).astype(np.int64)
    sums = np.einsum("k,koct->oct", np.rint(code.steps * alpha).astype(np.int64), codes)
    kernel = sums * gate / (code.steps * code.l1 * most * float(code.margin(shape[0])))
    assert np.abs(kernel).max() <= LIMIT * (1 + 1e-6)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"l1": 1.0, "signed": False, "kernels": 4, "taps": 1.0}, WeightsCode(1.0, False, 1.0)),
        ({"l1": 1.0, "signed": False, "kernels": 4, "taps": None}, WeightsCode(1.0, False, None)),
        ({"l1": 1.0, "signed": False, "kernels": 4}, WeightsCode(1.0, False, None)),
        ({"l1": None, "signed": True, "kernels": 4, "taps": 1.0}, None),
    ],
)
def test_what_bounds_a_gate_is_read_from_the_file(entry: dict[str, object], expected: WeightsCode | None) -> None:
    assert weights_code({LAYER: entry}, LAYER) == expected


def written(name: str, folder: Path, *, bounded: bool = True) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The int8 file of a re-implemented ODConv, and its int8 layers."""
    network = import_network(foreign_network(name), SHAPE).checkpoint.network
    plan = plan_network(network, Target("onnxruntime", precision="int8", machine="x86_64", portable=True), SHAPE)
    lowered = lower(network, plan)
    path = folder / f"{name}.onnx"
    request = ExportRequest(SHAPE, batch=1, layers=convolution_layers(lowered), attentions=attention_paths(lowered))
    get_exporter("onnx")(lowered, path, request)
    model = onnx.load(str(path))
    mixing = mixing_of(network)
    if not bounded:
        mixing[LAYER]["taps"] = None
    property_entry = model.metadata_props.add()
    property_entry.key, property_entry.value = "eamdeploy", json.dumps({"mixing": mixing})
    onnx.save(model, str(path))
    quantizer = open_quantizer(path)
    quantizer.calibrate((row[None] for row in images(16)), "minmax")
    int8_write = quantizer.write(folder / f"{name}-int8.onnx", "int8")
    return onnx.load(str(folder / f"{name}-int8.onnx")), tuple(int8_write.int8_layers)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, *SHAPE)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["omni-full", "omni-depthwise"])
def test_onnxruntime_computes_gated_kernels_in_integers(name: str, tmp_path: Path) -> None:
    model, layers = written(name, tmp_path)
    assert LAYER in layers
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    (product,) = (node for node in model.graph.node if node.output[0] == f"{LAYER}/gated")
    gate = product.input[1]
    kernels = [f"{LAYER}/alpha", gate, f"{LAYER}/kernel/q"]
    running = session(model, kernels, optimize=True)
    code = WeightsCode(1.0, False, 1.0)
    codes = constants[f"{LAYER}.bank.weight/q"].astype(np.float64)
    largest = 0.0
    for image in images(8):
        alpha, taps, kernel = running.run(kernels, {"input": image[None]})
        sums = (np.rint(alpha.astype(np.float64) * code.steps) @ codes).reshape(kernel.shape)
        emulated = sums * taps.astype(np.float64) / (code.steps * float(code.margin(len(codes))))
        assert np.abs(kernel.astype(np.float64) - emulated).max() <= 1.0
        largest = max(largest, float(np.abs(kernel.astype(np.float64)).max()))
    assert 1 <= largest <= LIMIT


@pytest.mark.slow
def test_a_gate_that_nothing_bounds_keeps_its_kernel_in_float(tmp_path: Path) -> None:
    model, layers = written("omni-full", tmp_path, bounded=False)
    assert LAYER not in layers
    assert not [node for node in model.graph.node if node.op_type == "MatMulInteger"]


@pytest.mark.parametrize(("other", "expected"), [(1.5, 4.0), (None, None)])
def test_a_layer_that_the_converter_renamed_gets_the_widest_code(other: float | None, expected: float | None) -> None:
    """Sigmoids sum to 4: with the scale of weights that sum to 1 its kernels would be clipped."""
    from types import SimpleNamespace

    from export.quantize.tflite.units import _code

    entries = {"body.first": {"l1": 4.0, "kernels": 4}, "body.last": {"l1": other, "kernels": 4}}
    code = _code(SimpleNamespace(mixing=entries), "fully_connected")
    assert (code and code.l1) == expected
