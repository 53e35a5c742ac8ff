"""Instructions are foreseen from an artifact's operators: on counts that the table did not see."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.latency.gather.instruction_table import fit_tables, read_counts, table_name
from devices.latency.model.instructions import BUILT_IN, COMMON_TABLE, COUNTED, operators_key


def test_every_count_says_what_was_counted() -> None:
    counts = read_counts()
    assert {c.runtime for c in counts} >= {"litert", "onnxruntime"}
    assert any(c.dynamic for c in counts)
    assert all(c.millions > 0 and len(c.terms) == len(COUNTED) and c.version for c in counts)


def test_litert_counts_of_designs_and_dynamic_networks_left_out_are_foreseen() -> None:
    litert = next(t for t in fit_tables(read_counts()) if (t.table.runtime, t.table.precision) == ("litert", "fp32"))
    assert np.abs(litert.static_errors).mean() < 0.10
    assert np.abs(litert.dynamic_errors).mean() < 0.08
    assert np.abs(litert.dynamic_errors).max() < 0.2


def test_what_is_shipped_is_what_the_counts_give() -> None:
    from devices.latency.model.instructions import tables

    for fitted in fit_tables(read_counts()):
        t = fitted.table
        shipped = tables()[t.runtime, t.precision, t.instruction_set]
        assert shipped.costs == pytest.approx(fitted.table.costs, rel=1e-3)
        assert shipped.exact == fitted.table.exact


def test_every_count_is_found_by_its_operators() -> None:
    tables = {(t.table.runtime, t.table.precision, t.table.instruction_set): t.table for t in fit_tables(read_counts())}
    for c in read_counts():
        table = tables[c.runtime, c.precision, c.instruction_set]
        key = operators_key(np.array(c.terms), np.array(c.float_terms or [0.0] * len(COUNTED)))
        assert table.exact[key] == pytest.approx(c.millions, rel=0.02), c.name


def test_what_litert_does_without_xnnpack_is_counted_apart() -> None:
    assert table_name("litert", xnnpack=False) == BUILT_IN
    assert table_name("litert", xnnpack=True) == COMMON_TABLE
    assert table_name("onnxruntime", xnnpack=False) == "onnxruntime"
    with_delegate, without = (
        {c.name: c.millions for c in read_counts() if (c.runtime, c.precision) == (name, "int8") and not c.dynamic}
        for name in (COMMON_TABLE, BUILT_IN)
    )
    counted_twice = with_delegate.keys() & without.keys()
    assert len(counted_twice) >= 5
    assert np.median([without[name] / with_delegate[name] for name in counted_twice]) > 1.2
