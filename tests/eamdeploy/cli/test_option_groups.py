"""Groups of options: a dataclass in a command's signature becomes its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from eamdeploy.cli.options.group import expand_groups


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option("--width", help="In pixels.")] = 3
    name: Annotated[str | None, typer.Option("--name", help="What to call it.")] = None


def test_a_group_is_spelled_out_and_comes_in_as_one_value() -> None:
    values: list[object] = []
    app = typer.Typer()

    @app.command()
    @expand_groups
    def draw(place: str, size: Size, loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
        """Draw."""
        values.extend((place, size, loud))

    help_text = CliRunner().invoke(app, ["--help"]).output
    assert all(word in help_text for word in ("--width", "--name", "--loud", "In pixels."))
    assert CliRunner().invoke(app, ["here", "--width", "7", "--loud"]).exit_code == 0
    assert values == ["here", Size(7), True]


def test_commands_spell_an_architecture_the_same_way() -> None:
    from eamdeploy.cli.app import build_app

    app = build_app()
    for command in ("describe", "init", "train", "import"):
        help_text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        assert all(f"--{word}" in help_text for word in ("arch", "width", "select", "pool-size", "temperature")), (
            command
        )
