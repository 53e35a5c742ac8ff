"""Names of files, classes and boards are shown as they are: never markup, never an emoji, never an internal error."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eamdeploy.cli
from eamdeploy.base.results import Latency, Provenance, Run, RunVerdict
from eamdeploy.cli.progress import make_bar
from eamdeploy.cli.views.output import console, err_console, make_table
from eamdeploy.runs.store import open_store
from tests.eamdeploy.cli.conftest import Call

NAMES = (
    "net[v2].onnx",
    "[",
    "[red]a",
    "a[bold",
    "[link=file:x]y[/link]",
    ":warning: x",
    "back\\",
    "\\[bold]",
    "[/]",
    "[/x]",
)


def _run(name: str, number: int) -> Run:
    samples = np.random.default_rng(number).normal(10, 0.1, 200)
    when = f"2026-11-22T12:0{number}:00+00:00"
    return Run(
        id=f"2026-{number}",
        device="host",
        board=f"b{name}",
        runtime="onnxruntime",
        threads=1,
        artifact=f"out/{name}",
        artifact_sha256=f"{number}" * 64,
        provenance=Provenance("measured", f"this {name}", "onnxruntime", "1.32", when, note=f"note {name}"),
        verdict=RunVerdict("suspect", (f"reason {name}",)),
        latency_ms=Latency(float(np.median(samples)), samples=tuple(samples.tolist())),
        precision="fp32",
        bytes=10,
        git_commit="c0ffee",
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_result_command_shows_names_as_they_are(
    name: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("EAMDEPLOY_STORE", str(tmp_path / "runs.db"))
    open_store(tmp_path / "runs.db").append_all([(_run(name, 1), None), (_run(name, 2), None)])
    for words in (
        ("history",),
        ("history", "show", "2026-1"),
        ("compare", "2026-1", "2026-2"),
        ("gate", "--baseline", "2026-1", "--current", "2026-2", "--max-latency-increase", "50"),
    ):
        code, out, err = call(*words)
        assert (code, err) == (0, ""), words
        assert name in out, words


@pytest.mark.parametrize("name", NAMES)
def test_what_a_user_types_is_quoted_as_it_is(name: str, call: Call, tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "runs.db"))
    open_store(tmp_path / "runs.db").append(_run("a.onnx", 1))
    for words in (
        ("history", "show", f"x{name}", *store),
        ("gate", "--baseline", "2026-1", "--max-size-increase", name),
    ):
        code, out, err = call(*words)
        assert (code, out) == (2, "")
        assert name in err.replace("\n", "")


@pytest.mark.parametrize("name", NAMES)
def test_consoles_tables_and_bars(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = make_table(name, title=name)
    table.add_row(name)
    for console_here in (console(), err_console()):
        console_here.print(name, soft_wrap=True)
        console_here.print(table)
    out = capsys.readouterr()
    assert out.out.count(name) == out.err.count(name) == 4
    with make_bar() as bars:
        bars.add_task(name, total=None, note=name)
        columns = [str(column(bars.tasks[0])) for column in bars.columns if type(column).__name__ == "TextColumn"]
    assert columns == [name, name]


def test_a_bench_report(capsys: pytest.CaptureFixture[str]) -> None:
    from eamdeploy.base.errors import MeasurementError
    from eamdeploy.cli.views.bench import show
    from eamdeploy.measurement.report import BenchReport, Failure

    for name in NAMES:
        layer = {"name": f"op{name}", "kind": name, "where": name, "mean_ms": 1.0}
        run = dataclasses.replace(_run(name, 1), per_layer=(layer,))
        report = BenchReport(runs=(run,), failures=(Failure(name, name, MeasurementError(name)),), notes=(name,))
        show(report, as_json=False)
        out = capsys.readouterr()
        assert out.out.count(name) >= 6
        assert out.err.count(name) == 3


def test_no_view_parses_markup() -> None:
    """Markup cannot be told from a name that looks like it: styles are given beside the text."""
    for path in Path(eamdeploy.cli.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[Any] = [getattr(node, "module", None), getattr(node, "attr", None)]
            assert "rich.markup" not in names, path
            assert "from_markup" not in names, path
            assert not (
                isinstance(node, ast.keyword) and node.arg == "markup" and getattr(node.value, "value", 0) is True
            )
