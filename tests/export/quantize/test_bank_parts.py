"""A bank that is cut into parts gives the same kernel, and the same file but for its speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.quantize import bank_parts
from export.quantize.bank_parts import cut, diagonal, machine_of, parts_for
from export.quantize.formats import open_quantizer
from export.quantize.tflite.model import TfliteModel
from runtimes.protocol import RuntimeOptions
from runtimes.registry import runtime_for
from tests.export.quantize.tiny_network import TinyFiles, images


@given(seed=st.integers(0, 2**31), kernels=st.integers(1, 6), parts=st.integers(1, 16), columns=st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_parts_are_the_plain_product(seed: int, kernels: int, parts: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    bank = rng.integers(-127, 128, (kernels, parts * columns))
    alpha = rng.integers(0, 256, (1, kernels))
    left = (alpha * diagonal(parts)).reshape(parts, parts * kernels)
    assert np.array_equal((left @ cut(bank, parts)).reshape(1, -1), alpha @ bank)


@pytest.mark.parametrize(("form", "machine"), [("onnx", "x86-64"), ("onnx", "aarch64"), ("tflite", "x86-64")])
def test_only_large_kernels_that_can_be_cut_are(form: str, machine: str) -> None:
    assert parts_for(2**20, form, machine) > 1
    assert parts_for(2**20 + 1, form, machine) == 1
    assert parts_for(512, form, machine) == 1
    assert parts_for(2**20, form, "riscv64") == 1


def _cut_matrices(path: Path) -> int:
    """How many banks in the file have more rows than kernels."""
    if path.suffix == ".onnx":
        graph = onnx.load(str(path)).graph
        return sum(t.name.endswith("bank.weight/q") and t.dims[0] > 4 for t in graph.initializer)
    model = TfliteModel.read(path)
    mixings = [op for op in model.graph.operators if model.kind(op) == "BATCH_MATMUL"]
    banks = [int(op.inputs[1]) for op in mixings if model.is_constant(int(op.inputs[1]))]
    return sum(model.shape(bank)[0] > 4 for bank in banks)


@pytest.mark.slow
@pytest.mark.parametrize(("form", "layers"), [("onnx", 4), ("tflite", 2)])
def test_the_file_computes_the_same_to_the_bit(
    tiny: TinyFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, layers: int
) -> None:
    pictures = images(32)
    quantizer = open_quantizer(tiny.paths[form])
    quantizer.calibrate((row[None] for row in pictures), "minmax")
    scores = []
    monkeypatch.setattr(bank_parts, "_PARTS", {(form, machine_of(tiny.paths[form])): 8})
    for large, expected in ((1, layers), (2**30, 0)):
        monkeypatch.setattr(bank_parts, "_LARGE", large)
        path = tmp_path / f"{large}.{form}"
        quantizer.write(path, "int8")
        assert _cut_matrices(path) == expected
        running = runtime_for(path).load(path, RuntimeOptions())
        scores.append(running.run(pictures)[0])
        running.close()
    assert np.array_equal(scores[0], scores[1])
