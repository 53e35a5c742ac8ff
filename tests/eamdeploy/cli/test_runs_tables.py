"""How runs look in tables: an estimate is never dressed as a measurement."""

from __future__ import annotations

import dataclasses
import io

from rich.console import Console

from eamdeploy.base.results import Latency
from eamdeploy.cli.views.bench import runs_table
from eamdeploy.cli.views.history import latency_words
from tests.eamdeploy.runs.report.album import make_run

MEASURED = make_run(0)
ESTIMATED = make_run(1, kind="estimated", latency_ms=Latency(2.0, interval90=(1.6, 2.5)))


def lines_of(*runs) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=300, color_system=None).print(runs_table(runs))
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_an_estimate_has_its_own_interval_a_mark_and_no_verdict() -> None:
    head, row = lines_of(ESTIMATED)[:2]
    assert "90 % interval" in head
    assert "verdict" not in head
    assert "~2" in row
    assert "estimated" in row


def test_beside_a_measurement_each_interval_says_which_it_is() -> None:
    head, measured, estimated = lines_of(MEASURED, ESTIMATED)[:3]
    assert " interval " in head
    assert "95 % interval" not in head
    assert "1.6–2.5 (90 %)" in estimated
    assert "(90 %)" not in measured
    assert measured.endswith("clean")
    assert not estimated.endswith("clean")


def test_measurements_alone_have_95_percent() -> None:
    assert "95 % interval" in lines_of(MEASURED)[0]


def test_short_times_keep_three_figures() -> None:
    run = make_run(0, latency_ms=Latency(0.0603, 0.07, 0.08, 0.06, (0.0601, 0.0605), samples=(0.0603,)))
    assert latency_words(run) == "0.0603 ms [0.0601, 0.0605]"


def test_a_runtime_that_can_compute_in_float16_says_what_it_computed_in() -> None:
    for name, package in (("ncnn", "ncnn"), ("mnn", "MNN")):
        provenance = dataclasses.replace(MEASURED.provenance, runtime=package)
        options = {"arithmetic": "fp16"}
        head, row = lines_of(dataclasses.replace(MEASURED, runtime=name, provenance=provenance, options=options))[:2]
        assert "arithmetic" in head
        assert "fp16" in row
    assert "arithmetic" not in lines_of(dataclasses.replace(MEASURED, options={"arithmetic": "fp32"}))[0]
