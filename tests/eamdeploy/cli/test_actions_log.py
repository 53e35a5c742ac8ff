"""In a CI log, what a user, a board or a file says never becomes a command; the commands that are meant still do."""

from __future__ import annotations

import json
import re

import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.main import main
from eamdeploy.cli.views.actions_log import write_commands
from eamdeploy.cli.views.output import console, emit, err_console, make_table

EVIL = (
    "::error::pwned",
    "\n::set-output name=a::b",
    "x\r::add-mask::y",
    "  \t::stop-commands::z",
    "a ##[add-mask]b",
    "\u2028::error::c",
    "::::error::d",
    "\x1b[0m::error::e",
)


def _commands(text: str) -> list[str]:
    """As the runner reads them."""
    lines = re.split(r"[\r\n]", text)
    return [line for line in lines if line.strip().startswith("::") or "##[" in line]


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_printed_becomes_a_command(
    evil: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for console_here in (console(), err_console()):
        table = make_table("name", "value")
        table.add_row(evil, evil)
        console_here.print(evil)
        console_here.print(evil, end="")
        console_here.print(evil)
        console_here.print(table)
    emit("x", {"name": evil}, True, lambda _: None)
    out, err = capsys.readouterr()
    assert _commands(out) == []
    assert _commands(err) == []
    assert json.loads(out[out.index("{") :])["name"] == evil


def test_errors_are_harmless_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(SystemExit):
        main(["history", "--store", "a\n::error::x/b\n##[add-mask]y.db", "show", "z"])
    assert _commands(capsys.readouterr().err) == []


def test_our_own_commands_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    write_commands(["::error title=gate/latency::slower"])
    assert capsys.readouterr().err == "::error title=gate/latency::slower\n"


def test_a_name_stays_on_its_line() -> None:
    error = UsageError("no such file", where="a\nerror: all is lost\x1b[2J\u202e")
    assert str(error) == "no such file (a\\nerror: all is lost\\x1b[2J\\u202e)"
