"""What comes from a board or a file reaches a terminal as text, never as a command to it."""

from __future__ import annotations

import io
import sys

import pytest

from eamdeploy.base.errors import BoardUnreachable
from eamdeploy.cli.views.output import console, err_console, make_table

_EVIL = "pi\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe"


@pytest.mark.parametrize("make", [console, err_console])
def test_control_characters_are_shown_and_not_obeyed(capsys, make):
    text = make()
    text.print(_EVIL, markup=False)
    table = make_table("board")
    table.add_row(_EVIL)
    text.print(table)
    out = "".join(capsys.readouterr())
    assert "\\x1b[2J" in out
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(out)


def test_an_error_that_quotes_a_board_is_plain_text():
    message = str(BoardUnreachable("the board does not answer", where="mypi", why=_EVIL))
    assert "\\x1b[2J" in message
    assert message.isprintable()


def test_a_terminal_without_utf_8_loses_a_character_and_not_the_result(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    console().print("5.0 µs ± 3 %, 61 °C")
    sys.stdout.flush()
    assert raw.getvalue() == b"5.0 ?s ? 3 %, 61 ?C\n"


def test_a_long_sentence_is_broken_between_words_and_a_path_never(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.text import Text

    monkeypatch.setenv("COLUMNS", "30")
    path = "/a/path/that/is/longer/than/thirty/columns.onnx"
    console().print(Text.assemble(("verified", "green"), f" the same function as {path} on 10 images"), soft_wrap=True)
    assert capsys.readouterr().out.splitlines() == ["verified the same function as", path, "on 10 images"]
    monkeypatch.delenv("COLUMNS")
    console().print(f"one line {path} in a pipe, however long it is", soft_wrap=True)
    assert capsys.readouterr().out == f"one line {path} in a pipe, however long it is\n"


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        pytest.param(
            [("installed", "numpy 2.4, pillow 13.0, torch 2.13, safetensors 0.8"), ("CPU", "x")],
            ["installed  numpy 2.4, pillow 13.0, torch", "           2.13, safetensors 0.8", "CPU        x"],
            id="a long value goes on below its beginning",
        ),
        pytest.param(
            [("source", "github:somebody/some-results@53f795 page 3"), ("a long name", "x")],
            ["source", "  github:somebody/some-results@53f795", "  page 3", "a long name  x"],
            id="a word that is longer than its column goes below its name",
        ),
    ],
)
def test_facts_that_are_longer_than_a_line(
    facts: list[tuple[str, str]],
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from eamdeploy.cli.views.output import print_facts

    monkeypatch.setenv("COLUMNS", "40")
    print_facts(console(), facts)
    assert capsys.readouterr().out.splitlines() == lines
