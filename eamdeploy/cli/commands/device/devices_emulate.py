"""``eamdeploy devices emulate``: a board for everyone who owns none."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.completion_devices import complete_profile
from eamdeploy.cli.progress import StageLines
from eamdeploy.cli.views.output import emit, err_console


def register_devices(devices: typer.Typer) -> None:
    """Add the command."""
    devices.command("emulate")(emulate)


def emulate(
    profile: Annotated[
        str, typer.Argument(help="Kind of board to emulate, such as pi4.", autocompletion=complete_profile)
    ],
    instructions: Annotated[
        bool,
        typer.Option(
            "--instructions",
            help="Let the emulated clock count instructions. The count is repeatable, but it is not a time.",
        ),
    ] = False,
    stay: Annotated[
        bool, typer.Option("--stay", help="Keep the emulated board running until Ctrl-C, so that you can log in.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build an emulated board, boot it and check it.

    The emulated board is an aarch64 Linux machine with the profile's CPU, run by qemu without administrator rights. Outputs
    and accuracy on it are those of the real aarch64 runtimes. Times on it mean nothing.
    """
    from devices.doctor.emulated import emulate as run

    def ready(command: str) -> None:
        err_console().print(f"Log in with: {command}", markup=False, soft_wrap=True)
        err_console().print("Ctrl-C switches it off.")

    board = run(profile, instructions=instructions, progress=StageLines(), stay=ready if stay else None)

    def render(console: Console) -> None:
        packages = ", ".join(f"{name} {version}" for name, version in board.packages.items())
        console.print(f"{board.cpu}, {board.cores} cores, {board.memory_mb} MB; {board.system}, kernel {board.kernel}")
        console.print(f"{packages}", markup=False)
        built = f"built in {board.build_s:.1f} s, " if board.build_s is not None else "image from the cache, "
        console.print(f"{built}SSH up after {board.boot_s:.1f} s, checked over SSH in {board.check_s:.1f} s")
        if board.note:
            console.print(board.note, markup=False)

    emit("devices-emulate", board.to_dict(), as_json, render)
