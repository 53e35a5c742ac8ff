"""The page's table of instructions is the data's, and the data is the command's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.export.instructions import EXACT, FORMATS, STATIC, merged, table
from benchmarks.export.layers import count
from benchmarks.export.layers.prices import prices
from export.rewrites.work import _INSTRUCTIONS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, object]]:
    text = (ROOT / "benchmarks" / "export" / "instructions-pi4.json").read_text(encoding="utf-8")
    return list(json.loads(text))


@pytest.fixture(scope="module")
def page() -> list[str]:
    return (ROOT / "docs" / "reference" / "ncnn-mnn.md").read_text(encoding="utf-8").splitlines()


def test_the_page_shows_the_counts(rows: list[dict[str, object]], page: list[str]) -> None:
    for line in table(rows, "pi4"):
        assert line in page


def test_the_page_shows_the_layers(page: list[str]) -> None:
    rows = json.loads((ROOT / "benchmarks" / "export" / "layers" / "pi4.json").read_text(encoding="utf-8"))
    for line in count.table(rows, "pi4"):
        assert line in page
    assert {row["layer"] for row in rows} == set(count.LAYERS)


def test_a_new_count_of_a_form_takes_the_place_of_an_old_one() -> None:
    row = {"device": "pi4", "runtime": "ncnn 1", "layer": "stem", "form": "static", "instructions": 2_000_000}
    renewed = count.merged([row, row | {"form": "aggregate"}], [row | {"instructions": 3_000_000}])
    assert [(each["form"], each["instructions"]) for each in renewed] == [
        ("static", 3_000_000),
        ("aggregate", 2_000_000),
    ]
    assert count.table(renewed, "pi4")[2] == "| stem | ncnn 1 | 3.00 | 2.00 |"


@pytest.mark.slow
def test_the_prices_of_a_search_are_the_counted_layers_prices() -> None:
    rows = json.loads((ROOT / "benchmarks" / "export" / "layers" / "pi4.json").read_text(encoding="utf-8"))
    for runtime, priced in _INSTRUCTIONS.items():
        fitted, error = prices([row for row in rows if row["runtime"].split()[0] == runtime])
        assert list(priced[:-1]) == pytest.approx(fitted, rel=0.02)
        assert error < 0.25


def test_the_large_network_was_counted_in_every_runtime(rows: list[dict[str, object]]) -> None:
    for kind in (STATIC, EXACT):
        counted = [row for row in rows if (row["network"], row["convolutions"]) == ("x1.0, 224 px", kind)]
        assert len(counted) == len(FORMATS)
        assert all(row["instructions"] > 1e6 and row["read_bytes"] > 0 for row in counted)


def test_a_new_count_takes_the_place_of_an_old_one(rows: list[dict[str, object]]) -> None:
    first = rows[0] | {"instructions": 1}
    assert merged(rows, [first])[0]["instructions"] == 1
    assert len(merged(rows, [first])) == len(rows)
