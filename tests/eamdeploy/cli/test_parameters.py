"""The library names parameters, the command line names flags."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.app import build_app
from eamdeploy.cli.options.flags import FLAGS, with_flags
from eamdeploy.cli.views.output import err_console

ROOT = Path(__file__).resolve().parents[3]
# a whole command to type: one of ours, or of the system's
COMMAND = re.compile(r"\beamdeploy [a-z]|\bsudo |\bgit config |\bpip install ")


@cache
def sentences() -> tuple[tuple[str, str], ...]:
    """Every string outside ``cli`` that is no docstring, with where it stands."""
    return tuple(_sentences())


def _sentences() -> Iterator[tuple[str, str]]:
    for package in ("eamdeploy", "export", "devices", "runtimes"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.is_relative_to(ROOT / "eamdeploy" / "cli"):
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            docstrings = {
                id(node.body[0].value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and node.body
                and isinstance(node.body[0], ast.Expr)
            }
            inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
            for node in ast.walk(tree):
                if isinstance(node, ast.JoinedStr):
                    text = "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
                    text = node.value
                else:
                    continue
                if id(node) not in docstrings:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def options(command: Any) -> Iterator[str]:
    """Every flag of a command and of those below it."""
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    for each in getattr(command, "commands", {}).values():
        yield from options(each)


def test_no_message_of_the_library_names_a_flag() -> None:
    named = [
        (place, text)
        for place, text in sentences()
        if " " in text and re.search(r"(^|[ (])--[a-z]", text) and not COMMAND.search(text) and text[0] != "^"
    ]
    assert named == []


def test_every_parameter_that_a_message_names_has_its_flag() -> None:
    named = {name for _, text in sentences() if "\n" not in text for name in re.findall(r"`([a-z_]+)`", text)}
    assert named <= {*FLAGS, "eamdeploy"}
    assert set(FLAGS) <= named | {"formats"}
    flags = set(options(typer.main.get_command(build_app()))) | {"--debug"}
    assert {flag for flag in FLAGS.values() if flag not in flags} == set()


def test_a_message_is_shown_with_flags(capsys: pytest.CaptureFixture[str]) -> None:
    error = UsageError("the output folder is a file", where="`precisions`", hint="choose another `out`, or `colour`")
    assert with_flags(str(error)) == "the output folder is a file (--precision); choose another --out, or `colour`"
    err_console().print(f"warning: {error}", markup=False, soft_wrap=True)
    assert "another --out" in capsys.readouterr().err
