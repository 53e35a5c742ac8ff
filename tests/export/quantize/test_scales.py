"""The guaranteed scale of a computed kernel: no element can exceed it, and the files compute exactly these codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.quantize.formats import open_quantizer
from export.quantize.onnx.calibrate import session
from export.quantize.scales import (
    ALPHA_STEPS,
    LIMIT,
    affine,
    bank_scales,
    quantize_symmetric,
    rounding_margin,
    tensor_scale,
)
from export.quantize.tflite.calibrate import interpreter
from export.quantize.tflite.model import TfliteModel
from tests.export.quantize.tiny_network import TinyFiles, images

sizes = st.tuples(st.integers(1, 8), st.integers(1, 6), st.integers(1, 12))


def random_case(seed: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A bank (k, O, N) with channels of very different size, and convex weights, sometimes one-hot."""
    rng = np.random.default_rng(seed)
    bank = rng.standard_normal(shape) * 10.0 ** rng.uniform(-6, 6, (1, shape[1], 1))
    alpha = rng.dirichlet(np.full(shape[0], rng.choice([0.05, 1.0, 50.0])))
    return bank.astype(np.float32), alpha


@given(seed=st.integers(0, 2**31), shape=sizes)
@settings(max_examples=300, deadline=None)
def test_a_computed_kernel_never_exceeds_its_scale(seed: int, shape: tuple[int, int, int]) -> None:
    bank, alpha = random_case(seed, shape)
    kernel = np.einsum("k,kon->on", alpha, bank.astype(np.float64))
    bound = LIMIT * bank_scales(bank).astype(np.float64)[:, None]
    assert np.all(np.abs(kernel) <= bound * (1 + 1e-6))
    assert np.abs(kernel).max() <= LIMIT * float(tensor_scale(bank)) * (1 + 1e-6)


@given(seed=st.integers(0, 2**31), shape=sizes)
@settings(max_examples=300, deadline=None)
def test_rounded_weights_and_kernels_stay_within_int8(seed: int, shape: tuple[int, int, int]) -> None:
    """The integer form: alpha in 255ths and an int8 bank; the accumulator over its divisor never leaves [-127, 127]."""
    bank, alpha = random_case(seed, shape)
    scales = bank_scales(bank)
    codes = quantize_symmetric(bank, scales, axis=1).astype(np.int64)
    weights = np.rint(ALPHA_STEPS * alpha).astype(np.int64)
    accumulated = np.einsum("k,kon->on", weights, codes)
    kernel = accumulated / (ALPHA_STEPS * float(rounding_margin(len(alpha))))
    assert np.abs(kernel).max() <= LIMIT * (1 + 1e-6)
    # and it is the float kernel, to the roundings: half a code of the bank, of the result, and of each weight
    exact = np.einsum("k,kon->on", alpha, bank.astype(np.float64)) / scales.astype(np.float64)[:, None]
    kernel_codes = np.rint(kernel) * float(rounding_margin(len(alpha)))
    assert np.abs(kernel_codes - exact).max() <= 0.5 + 0.51 * float(rounding_margin(len(alpha))) + len(
        alpha
    ) * LIMIT / (2 * ALPHA_STEPS)


@given(low=st.floats(-1e4, 1e4), high=st.floats(-1e4, 1e4), dtype=st.sampled_from(["uint8", "int8"]))
def test_zero_is_exact_and_values_in_range_are_off_by_half_a_step(low: float, high: float, dtype: str) -> None:
    low, high = min(low, high), max(low, high)
    code = affine(low, high, dtype)
    assert code.dequantize(code.quantize(np.zeros(1)))[0] == 0.0
    values = np.linspace(min(low, 0), max(high, 0), 50)
    error = np.abs(code.dequantize(code.quantize(values)) - values)
    # the ends move by up to half a step when the zero point is rounded
    assert error.max() <= 1.01 * code.scale + 1e-6


def written(tiny: TinyFiles, fmt: str, folder: Path) -> Path:
    quantizer = open_quantizer(tiny.paths[fmt])
    quantizer.calibrate((row[None] for row in images(32)), "minmax")
    path = folder / f"q.{fmt}"
    quantizer.write(path, "int8")
    return path


def test_onnxruntime_computes_the_kernel_of_the_emulation(tiny: TinyFiles, tmp_path: Path) -> None:
    model = onnx.load(str(written(tiny, "onnx", tmp_path)))
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    layers = [n.name.removesuffix(".bank/MatMul") for n in model.graph.node if n.op_type == "MatMulInteger"]
    assert len(layers) == 4
    tensor_names = [name for layer in layers for name in (f"{layer}/alpha", f"{layer}/kernel/q")]
    running = session(model, tensor_names, optimize=True)
    for image in images(8):
        values = dict(zip(tensor_names, running.run(tensor_names, {"input": image[None]}), strict=True))
        for layer in layers:
            codes = constants[f"{layer}.bank.weight/q"].astype(np.float64)
            alpha = np.rint(values[f"{layer}/alpha"].astype(np.float64) * ALPHA_STEPS)
            emulated = (alpha @ codes) / (ALPHA_STEPS * float(rounding_margin(len(codes))))
            kernel = values[f"{layer}/kernel/q"].astype(np.float64).reshape(1, -1)
            assert np.abs(kernel - emulated).max() <= 1.0
            assert np.abs(kernel).max() <= LIMIT


def test_litert_computes_the_kernel_of_the_emulation(tiny: TinyFiles, tmp_path: Path) -> None:
    content = written(tiny, "tflite", tmp_path).read_bytes()
    model = TfliteModel(content)
    running = interpreter(content, keep_all=True)
    details = {entry["index"]: entry for entry in running.get_tensor_details()}
    mixings = [
        op for op in model.graph.operators if model.kind(op) == "BATCH_MATMUL" and model.is_constant(int(op.inputs[1]))
    ]
    assert len(mixings) == 2  # the pointwise layers
    for image in images(8):
        running.set_tensor(running.get_input_details()[0]["index"], image[None].transpose(0, 2, 3, 1).copy())
        running.invoke()
        for op in mixings:
            alpha_index, bank_index, kernel_index = int(op.inputs[0]), int(op.inputs[1]), int(op.outputs[0])
            alpha = running.get_tensor(alpha_index).astype(np.float64) + 128
            bank = model.value(bank_index).astype(np.float64)
            bank_scale, scale = (details[index]["quantization"][0] for index in (bank_index, kernel_index))
            emulated = (alpha / 256) @ bank * bank_scale / scale
            kernel = running.get_tensor(kernel_index).astype(np.float64)
            assert np.abs(kernel - emulated).max() <= 1.0
            assert np.abs(kernel).max() <= LIMIT


def test_an_infinite_activation_is_refused(tiny: TinyFiles) -> None:
    from eamdeploy.base.errors import UsageError

    quantizer = open_quantizer(tiny.paths["onnx"])
    broken = images(2)
    broken[1, 0, 3, 3] = np.inf
    with pytest.raises(UsageError, match="not finite"):
        quantizer.calibrate((row[None] for row in broken), "mse")
