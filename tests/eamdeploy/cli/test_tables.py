"""Tables: one line a row, no word broken, and the same content whole in a pipe."""

from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from eamdeploy.cli.views.table import FittedTable

COLUMNS = ("artifact", "device?", "runtime??", ">p50 ms", ">95 % interval ms?", ">p99 ms??", ">RAM MB???", "verdict")
ROW = (
    "a-rather-long-network-name-int8.onnx",
    "pi4",
    "onnxruntime 1.32.0",
    "0.427",
    "0.415-0.440",
    "0.559",
    "89",
    "clean",
)


def lines_of(table: FittedTable, width: int) -> list[str]:
    target = io.StringIO()
    console = Console(file=target, width=width, force_terminal=False, highlight=False, markup=False)
    console.print(table)
    return target.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_row_is_a_line_and_figures_are_whole(width: int) -> None:
    table = FittedTable(COLUMNS)
    table.add_row(*ROW)
    lines = lines_of(table, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "0.427" in lines[1]
    assert "clean" in lines[1]
    assert lines[1].split()[0].endswith("int8.onnx")
    if width == 200:
        assert all(cell in lines[1] for cell in ROW)
        assert len(lines) == 2
    elif width < 120:
        assert lines[2].startswith("not shown: ")


def test_the_most_dispensable_columns_go_first() -> None:
    table = FittedTable(COLUMNS)
    table.add_row(*ROW)
    columns_by_width = [set(lines_of(table, width)[0].split()) for width in range(30, 160, 5)]
    for narrow, wide in itertools.pairwise(columns_by_width):
        assert narrow <= wide
    assert "verdict" in columns_by_width[0]
    assert "RAM" not in lines_of(table, 90)[0]


WORDS = st.text(st.characters(categories=("L", "N", "P"), max_codepoint=0x3000), max_size=40)
# a figure is never elided: with the shortest name beside it, it fits the narrowest table below even in wide letters
FIGURES = st.text(st.characters(categories=("L", "N", "P"), max_codepoint=0x3000), max_size=14)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS, FIGURES), min_size=1, max_size=5), st.integers(40, 140))
def test_any_cells_give_a_line_a_row(rows: list[tuple[str, str, str]], width: int) -> None:
    table = FittedTable(("name", "kind?", ">figure"))
    for row in rows:
        table.add_row(*row)
    lines = lines_of(table, width)
    assert len(lines) - 1 - len(rows) in (0, 1)  # the heads, and what is not shown
    for row, line in zip(rows, lines[1:], strict=False):
        assert row[2] in line


def test_styled_cells_keep_their_text() -> None:
    from rich.text import Text

    table = FittedTable(("state",))
    table.add_row(Text("invalid", "red"))
    assert lines_of(table, 60)[1] == "invalid"


def test_a_table_that_cannot_fit_loses_a_column_and_not_a_letter() -> None:
    table = FittedTable(("artifact", "id", ">median [95 % interval]", "verdict", ">top-1 %", "source"))
    table.add_row(
        "fashion-mnist-v1x0.25-eam-rcr.onnx", "ca8852c8", "0.45 ms [0.42, 0.65]", "clean", "92.50", "measured"
    )
    lines = lines_of(table, 60)
    text = "\n".join(lines)
    assert "measur" not in text
    assert "not shown: source" in text
    assert "clean" in text
    assert max(map(len, lines)) <= 60


def test_what_all_names_begin_with_is_left_out_where_the_table_does_not_fit() -> None:
    table = FittedTable(("artifact", "id", ">median [95 % interval]", "when?"))
    for ending in (".onnx", "-int8.onnx"):
        table.add_row(f"fashion-mnist-v1x0.25-eam-rcr{ending}", "ca8852c8", "0.45 ms [0.42, 0.65]", "2 min ago")
    wide, narrow = lines_of(table, 120), lines_of(table, 60)
    assert wide[1].startswith("fashion-mnist-v1x0.25-eam-rcr.onnx")
    assert [line.split()[0] for line in narrow[1:3]] == ["…rcr.onnx", "…rcr-int8.onnx"]
    assert narrow[-1] == "… stands for fashion-mnist-v1x0.25-eam-"
    assert "2 min ago" in narrow[1]
    alone = FittedTable(("artifact", ">median [95 % interval]"))
    alone.add_row("fashion-mnist-v1x0.25-eam-rcr.onnx", "0.45 ms [0.42, 0.65]")
    assert "stands for" not in "\n".join(lines_of(alone, 30))


def test_a_table_is_printed_alike_again_and_whole_where_it_fits() -> None:
    names = ("fashion-mnist-v1x0.25-eam-rcr-int8.onnx", "fashion-mnist-v1x0.25-eam-rcr.onnx")
    table = FittedTable(COLUMNS)
    for name in names:
        table.add_row(name, *ROW[1:])
    narrow = lines_of(table, 60)
    assert narrow == lines_of(table, 60)
    wide = lines_of(table, 200)
    assert [line.split()[0] for line in wide[1:]] == list(names)
