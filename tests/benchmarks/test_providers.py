"""The check of ONNX Runtime's providers: what is right passes, what is not there or is another function does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.export.providers import LEAST_SNR_DB, artifacts, images_for, measure, table


@pytest.mark.slow
def test_the_cpu_passes_and_a_missing_provider_says_why(tmp_path: Path) -> None:
    files = artifacts(tmp_path, px=32)
    rows = measure(files, ["cuda"], images_for(None, px=32, count=8), rounds=2)
    present, missing = rows[:2], rows[2:]
    assert all(row.passed and row.p50_ms and row.least_snr_db is None for row in present)
    assert [row.convolution for row in missing] == ["static", "eam"]
    assert all("CUDAExecutionProvider" in (row.problem or "") and not row.passed for row in missing)
    table_text = table(rows)
    assert "the same bits" in table_text
    assert "not run: " in table_text
    assert not replace(present[0], agreement=0.99).passed
    assert not replace(present[0], least_snr_db=LEAST_SNR_DB - 1).passed
