"""Help: every option is explained in a sentence, panels are short, examples parse, and the screen keeps to its width."""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import Any

import pytest
import typer
from rich.cells import cell_len

from eamdeploy.cli.app import build_app
from eamdeploy.cli.help.examples import EXAMPLES
from eamdeploy.cli.help.panels import PANELS, in_panels
from eamdeploy.cli.reference import commands
from tests.eamdeploy.cli.conftest import Call

_MOST_IN_A_PANEL = 12
# a sentence about an option does not begin in the middle
_FRAGMENT = re.compile(r"^(of|what|to|for|in|as)\b(?! to\b)", re.IGNORECASE)


@cache
def command_by_name() -> dict[str, Any]:
    """Every command by its words without the program's, the program itself as ''."""
    root = typer.main.get_command(build_app())
    return {"": root, **{name.partition(" ")[2]: command for name, command in commands(root)}}


def names() -> list[str]:
    return [*command_by_name(), "devices"]


@pytest.mark.parametrize("name", command_by_name())
def test_every_parameter_has_a_sentence(name: str) -> None:
    for parameter in command_by_name()[name].params:
        text = parameter.help or ""
        assert len(text.split()) >= 3, f"{name} {parameter.opts}: '{text}'"
        assert re.match(r"[A-Z\"'.]", text), f"{name} {parameter.opts}: '{text}'"
        assert not _FRAGMENT.match(text) or text.startswith("What"), f"{name} {parameter.opts}: '{text}'"
        assert re.search(r"[.)\w}]$", text), f"{name} {parameter.opts}: '{text}'"


@pytest.mark.parametrize("name", command_by_name())
def test_no_panel_is_long_and_no_option_of_a_long_command_is_left_over(name: str) -> None:
    command = command_by_name()[name]
    options = [parameter for parameter in command.params if parameter.opts[0].startswith("-")]
    for panel, inside in in_panels(name, options):
        assert len(inside) <= _MOST_IN_A_PANEL, (name, panel)
        assert panel != "Options" or name not in PANELS, (name, [option.opts for option in inside])


def test_panels_name_options_that_some_command_has() -> None:
    known_options = {
        flag.lstrip("-") for command in command_by_name().values() for option in command.params for flag in option.opts
    }
    for name, panels in PANELS.items():
        assert name in command_by_name()
        assert set(" ".join(panels.values()).split()) - known_options - {"help"} == set(), name


@pytest.mark.parametrize("name", names())
def test_a_command_has_three_examples_that_parse(name: str) -> None:
    assert len(EXAMPLES[name]) >= 3
    for sentence, line in EXAMPLES[name]:
        assert sentence[0].isupper()
        assert sentence[-1] in ".?"
        words = shlex.split(line)
        context = command_by_name()[""].make_context("eamdeploy", words, resilient_parsing=False)
        rest = [*context._protected_args, *context.args]  # what is left for the command
        command, path = command_by_name()[""], []
        while hasattr(command, "commands") and rest and rest[0] in command.commands:
            path.append(rest[0])
            command, rest = command.commands[rest[0]], rest[1:]
        assert " ".join(path) == name or name in ("", "devices"), line
        command.make_context(path[-1] if path else "eamdeploy", rest)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", names())
def test_the_screen_keeps_to_its_width(name: str, width: int, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = call(*name.split(), "--help")
    assert code == 0
    assert out.startswith(("Usage: ", "Usage:\n"))
    for line in out.splitlines():
        # a word that is longer than a line, such as a path, is never broken
        assert cell_len(line) <= width or max(map(len, line.split())) > width - 10, line
    assert "Examples" in out
    assert "eamdeploy " in out.partition("Examples")[2]


def test_the_main_path_alone(call: Call) -> None:
    code, out, _ = call()
    assert code == 0
    for command in ("demo", "export", "verify", "bench", "gate", "report", "--help"):
        assert command in out


def test_choices_are_the_library_s() -> None:
    from typing import get_args

    from eamdeploy.cli.options import choices
    from eamdeploy.networks import spec
    from eamdeploy.training import recipes, sources
    from eamdeploy.training.device import acceleration
    from eamdeploy.training.importing import sources as libraries
    from eamdeploy.training.qat import PRECISIONS
    from export.quantize.observers import METHODS
    from runtimes.protocol import ARITHMETICS

    pairs = (
        (choices.ArchName, spec.ARCHITECTURES),
        (choices.ConvName, spec.CONVOLUTIONS),
        (choices.SelectName, (*spec.SELECTIONS, "adjacent")),
        (choices.PoolName, spec.POOLS),
        (choices.ActivationName, spec.ACTIVATIONS),
        (choices.PaddingName, spec.PADDINGS),
        (choices.LibraryName, libraries.SOURCES),
        (choices.DataKind, sources.SOURCES),
        (choices.RecipeName, recipes.RECIPES),
        (choices.AugmentName, recipes.AUGMENTATIONS),
        (choices.AccelerationName, acceleration.NAMES),
        (choices.QatName, PRECISIONS),
        (choices.MethodName, METHODS),
        (choices.RuntimeArithmetic, ARITHMETICS),
    )
    for choice, known_choices in pairs:
        assert set(get_args(choice)) == set(known_choices)


def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(call: Call) -> None:
    code, _, err = call("init", "--out", "x.safetensors", "--conv", "dynamic")
    assert code == 2
    assert "static" in err
    assert "Traceback" not in err
