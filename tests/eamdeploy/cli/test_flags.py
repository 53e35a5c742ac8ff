"""One flag has one meaning, in every command that has it."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from eamdeploy.cli.app import build_app
from eamdeploy.cli.reference import commands

# what a flag's help has to speak of, wherever the flag stands
MEANINGS = {
    "--precision": ("fp32", "fp16", "int8"),
    "--data": ("labelled images", "images"),
    "--device": ("profile",),
    "--limit": ("images",),
    "--profile": ("board",),
    "--threads": ("thread",),
    "--runtime": ("runtime", "onnxruntime"),
    "--batch": ("images", "recipe"),
    "--board": ("board",),
    "--last": ("runs",),
}


def _options() -> list[tuple[str, str, Any]]:
    """Every flag with the command it belongs to."""
    all_commands = commands(typer.main.get_command(build_app()))
    return [
        (flag, name, parameter)
        for name, command in all_commands
        for parameter in command.params
        for flag in parameter.opts
        if flag.startswith("--")
    ]


@pytest.mark.parametrize("flag", MEANINGS)
def test_a_flag_means_the_same_everywhere(flag: str) -> None:
    uses = [(name, option) for other_name, name, option in _options() if other_name == flag]
    assert uses, f"no command has {flag}"
    for name, option in uses:
        words = (getattr(option, "help", "") or "").lower()
        assert any(word in words for word in MEANINGS[flag]), f"{name} {flag}: {words}"


def test_a_number_is_a_number_everywhere() -> None:
    """A flag that counts in one command does not name something in another."""
    kinds: dict[str, set[str]] = {}
    for flag, _, option in _options():
        annotation = str(option.type_descriptor.annotation).partition("Literal")[0]
        kinds.setdefault(flag, set()).add("number" if "int" in annotation or "float" in annotation else "other")
    # lists of numbers with commas, "dynamic" and 3x224x224 are still numbers; the classes of an imported network are a
    # count or their names
    assert {flag for flag, flag_kinds in kinds.items() if len(flag_kinds) > 1} <= {
        "--threads",
        "--batch",
        "--input",
        "--classes",
    }
