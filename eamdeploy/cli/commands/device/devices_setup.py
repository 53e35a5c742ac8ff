"""``eamdeploy devices setup``: installs what a board lacks."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.completion_devices import complete_board
from eamdeploy.cli.progress import StageLines
from eamdeploy.cli.views.output import emit


def register_devices(devices: typer.Typer) -> None:
    """Add the command."""
    devices.command("setup")(setup)


def setup(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of one of your boards.", autocompletion=complete_board)
    ],
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime",
            help="Packages to install, separated by commas: onnxruntime, ai-edge-litert, tflite-runtime. "
            "Default: all that the board supports.",
        ),
    ] = None,
    offline: Annotated[
        bool | None,
        typer.Option(
            "--offline/--online",
            help="Copy the wheels from this machine, or let the board download them. Default: try both.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Install numpy and the runtimes on a board, in a separate virtual environment.

    Nothing else on the board changes, and the login user needs no administrator rights.
    """
    from devices.setup import set_up_board

    runtimes = [part.strip() for part in (runtime or "").split(",") if part.strip()]
    installed = set_up_board(name, runtimes=runtimes, offline=offline, progress=StageLines())

    def render(console: Console) -> None:
        packages = ", ".join(f"{package} {version}" for package, version in installed.packages.items())
        console.print(f"{name}: {packages}", markup=False)
        console.print(f"  in {installed.python}", markup=False)

    emit("devices-setup", {"board": name, **installed.to_dict()}, as_json, render)
