"""Instructions at a rate: which table, whose rate, how wide."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.latency.estimate.breakdown import float_twin
from devices.latency.estimate.estimate import candidates
from devices.latency.estimate.predictors import by_instructions, by_operators
from devices.latency.graph.records import ArtifactFeatures, OperatorRecord
from devices.latency.model.calibration import shipped
from devices.latency.model.hardware import board_of, instruction_set
from devices.latency.model.instructions import (
    BASE,
    BUILT_IN,
    COMMON_TABLE,
    DOT_PRODUCT,
    InstructionTable,
    file_terms,
    keyed,
    operators_key,
    own_table,
    table_for,
)
from devices.latency.model.rate import InstructionRate, OneThreadRate


def table(runtime: str, precision: str, instructions: str) -> InstructionTable:
    return InstructionTable(runtime, "1", precision, {"macs": 1.0}, 0.1, 5, instructions)


def pointwise(element_bytes: int, pixels: int = 28 * 28) -> OperatorRecord:
    sizes = {"macs": 64 * 64 * pixels, "weights": 64 * 64, "inputs": 64 * pixels, "outputs": 64 * pixels}
    return OperatorRecord(
        "Conv", "pointwise", "layer", "convolution", element_bytes=element_bytes, pixels=pixels, **sizes
    )


def test_boards_with_a_dot_product_have_tables_of_their_own() -> None:
    assert instruction_set(board_of("pi4")) == instruction_set(None) == BASE
    assert instruction_set(board_of("pi5")) == DOT_PRODUCT
    known_tables = keyed([table("litert", "int8", BASE), table("litert", "int8", DOT_PRODUCT)])
    assert table_for("TFLite", "int8", DOT_PRODUCT, known_tables) is known_tables["litert", "int8", DOT_PRODUCT]


def test_int8_prefers_the_instruction_set_and_float_the_runtime() -> None:
    several = [table(r, p, s) for r, s in (("ncnn", BASE), ("litert", DOT_PRODUCT)) for p in ("fp32", "int8")]
    known_tables = keyed(several)
    assert table_for("ncnn", "int8", DOT_PRODUCT, known_tables) is known_tables["litert", "int8", DOT_PRODUCT]
    assert table_for("ncnn", "fp32", DOT_PRODUCT, known_tables) is known_tables["ncnn", "fp32", BASE]


def test_a_runtime_whose_kernels_were_not_counted_has_no_table_of_its_own() -> None:
    known_tables = keyed([table("litert", "fp32", BASE)])
    assert table_for("ArmNN-Neon", "fp32", BASE, known_tables) is not None
    assert own_table("ArmNN-Neon", "fp32", BASE, known_tables) is None
    assert own_table("ncnn", "fp32", BASE, known_tables) is None
    assert own_table("TFLite", "fp32", BASE, known_tables) is not None


def test_rows_without_xnnpack_are_counted_without_it() -> None:
    several = keyed([table(r, p, BASE) for r in (COMMON_TABLE, BUILT_IN) for p in ("fp32", "int8")])
    assert table_for("TFLite", "int8", BASE, several) is several[BUILT_IN, "int8", BASE]
    assert table_for("TFLite-XNNPACK", "int8", BASE, several) is several[COMMON_TABLE, "int8", BASE]
    assert own_table("TFLite", "int8", BASE, several) is several[BUILT_IN, "int8", BASE]
    assert own_table("ncnn", "int8", BASE, several) is None


def test_float_operators_of_an_int8_file_are_worked_off_at_the_float_rate() -> None:
    (int8,) = [c for c in shipped() if c.name == "raspberry-pi-5-tflite-xnnpack-2.18.0-cpu-int8-stated"]
    float_ = float_twin(int8, shipped())
    assert float_ is not None
    features = ArtifactFeatures("net", "tflite", "int8", (pointwise(1), pointwise(4)), 224)
    mixed = by_instructions(features, int8, shipped(), None)
    whole = by_instructions(replace(features, precision="fp32", records=(pointwise(4),)), float_, shipped(), None)
    assert mixed is not None
    assert whole is not None
    assert mixed.times[1] == pytest.approx(whole.times[0])
    assert mixed.times[1] > mixed.times[0]


def test_another_runtimes_rate_serves_where_both_were_counted() -> None:
    features = ArtifactFeatures("net", "onnx", "int8", (pointwise(1), pointwise(4)), 224)
    ranked = candidates(features, shipped(), "pi4", runtime="onnxruntime", precision="int8", threads=None)
    rated = [(c, p) for _, c, p in ranked if c.counted_for == "ONNXRuntime"]
    assert rated
    assert all(p.method == "instructions" for _, p in rated)
    assert any("at the rate of" in s.words for c, _ in rated for s in c.steps)


def test_beyond_what_was_measured_the_interval_is_wider_by_its_tested_factor() -> None:
    (c,) = [c for c in shipped() if c.name == "raspberry-pi-4b-tflite-2.7.1-cpu-fp32"]
    assert c.beyond >= 1
    tiny = ArtifactFeatures("net", "tflite", "fp32", (pointwise(4, 4),), 8, family="mobilenet_v1")
    widths = [by_operators(tiny, replace(c, beyond=factor), ()).half_width for factor in (1.0, 2.5)]
    assert np.divide(widths[1], widths[0]) == pytest.approx(2.5)


def test_one_thread_is_answered_by_what_was_measured_with_one() -> None:
    rate = InstructionRate("litert", "fp32", -1.0, 0.4, 0.5, one_thread=OneThreadRate(-1.1, 0.2))
    assert (rate.at(1).log_ms, rate.at(1).half_width) == (-1.1, 0.2)
    assert rate.at(4) == rate.at(None) == rate
    without = replace(rate, one_thread=None)
    assert without.at(1) == without
    for variant in (rate, without):
        assert InstructionRate.from_dict(variant.to_dict()) == variant


SHAPES = st.tuples(st.sampled_from((1, 4)), st.integers(1, 10_000))
FILES = st.lists(SHAPES, min_size=1, max_size=12)


@given(FILES, st.randoms(use_true_random=False))
def test_a_file_is_known_by_its_operators_in_any_order(
    shapes: list[tuple[int, int]], random: np.random.Generator
) -> None:
    records = [pointwise(*shape) for shape in shapes]
    key = operators_key(*file_terms(records, "int8"))
    mixed = list(records)
    random.shuffle(mixed)
    assert operators_key(*file_terms(mixed, "int8")) == key
    more = [*records, pointwise(1)]
    assert operators_key(*file_terms(more, "int8")) != key
    larger = [pointwise(shapes[0][0], shapes[0][1] + 1), *records[1:]]
    assert operators_key(*file_terms(larger, "int8")) != key


def test_a_counted_file_costs_what_was_counted_and_owes_nothing_to_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    (c,) = [c for c in shipped() if c.name == "raspberry-pi-4b-tflite-xnnpack-2.18.0-cpu-fp32-stated"]
    mixing = replace(pointwise(4), kind="aggregation", part="aggregation")
    features = ArtifactFeatures("net", "tflite", "fp32", (pointwise(4), mixing), 32)
    assert features.is_dynamic
    foreseen = by_instructions(features, c, shipped(), None, threads=1)
    plain = c.rate.table
    key = operators_key(*file_terms(features.records, "fp32"))
    counted = replace(plain, exact={key: 1000.0})
    monkeypatch.setattr(InstructionRate, "table", property(lambda _: counted))
    exact = by_instructions(features, c, shipped(), None, threads=1)
    assert exact.milliseconds == pytest.approx(1000 * math.exp(c.rate.at(1).log_ms))
    assert exact.half_width == pytest.approx(c.rate.at(1).half_width)
    assert foreseen.half_width == pytest.approx(math.hypot(exact.half_width, plain.dynamic_error))
    assert exact.times / foreseen.times == pytest.approx(exact.milliseconds / foreseen.milliseconds)
    assert "own instructions" in exact.notes[0]
    assert "own instructions" not in foreseen.notes[0]


def test_a_float_file_is_foreseen_in_int8_as_if_it_were_quantized() -> None:
    (c,) = [c for c in shipped() if c.name == "raspberry-pi-4b-tflite-xnnpack-2.18.0-cpu-int8-stated"]
    files = [ArtifactFeatures("net", "tflite", "fp32", (pointwise(size),) * 3, 32) for size in (4, 1)]
    as_if, quantized = (by_instructions(f, c, shipped(), None, threads=1) for f in files)
    assert as_if.milliseconds == pytest.approx(quantized.milliseconds)
