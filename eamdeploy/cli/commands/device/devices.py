"""``eamdeploy devices``: what is known about boards, and the user's own ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eamdeploy.cli.commands.device import calibrate, devices_check, devices_emulate, devices_setup
from eamdeploy.cli.help.screen import HelpTyper
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.completion_devices import complete_board, complete_place, complete_profile
from eamdeploy.cli.views.output import emit, err_console, make_table, print_facts

BoardName = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of one of your boards.", autocompletion=complete_board)
]
Profile = Annotated[
    str,
    typer.Option(
        "--profile",
        help="Kind of board, such as pi4 (`eamdeploy devices list` shows all).",
        autocompletion=complete_profile,
    ),
]
Fingerprint = Annotated[
    str | None,
    typer.Option(
        "--fingerprint",
        help="SHA256:... fingerprint of the board's host key. Read it on the board: ssh-keygen -lf "
        "/etc/ssh/ssh_host_ed25519_key.pub",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    devices = HelpTyper(help="List, add, check and set up boards.", no_args_is_help=True)
    devices.command("list")(list_devices)
    devices.command("show")(show)
    devices.command("add")(add)
    devices.command("trust")(trust)
    devices.command("remove")(remove)
    for module in (devices_check, devices_setup, devices_emulate, calibrate):
        module.register_devices(devices)
    app.add_typer(devices, name="devices", rich_help_panel="Boards and measurements")


def list_devices(as_json: JsonOption = False) -> None:
    """List the device profiles and your own boards."""
    from devices.boards.profiles import profiles
    from devices.boards.registry import BoardRegistry

    registry = BoardRegistry()
    boards = registry.boards()
    entries = [
        profile.to_dict() | {"boards": [board.name for board in boards if board.profile == profile.name]}
        for profile in profiles()
    ]

    def render(console: Console) -> None:
        table = make_table("device", "CPU?", ">MHz??", "dot product??", "your boards")
        for entry in entries:
            cpu = entry["cpu"]
            dot = {True: "yes", False: "no", None: ""}[cpu["dot_product"]]
            clock = str(cpu["clock_mhz"] or "")
            cores = f"{cpu['cores']} x {cpu['core']}"
            table.add_row(entry["name"], cores, clock, dot, ", ".join(entry["boards"]))
        console.print(table)
        if not boards:
            console.print("\nNo board of your own yet: eamdeploy devices add NAME --profile pi4 --host user@address")

    document = {"devices": entries, "boards": [board.to_dict() for board in boards], "registry": str(registry.path)}
    emit("devices", document, as_json, render)


def show(
    name: Annotated[
        str, typer.Argument(help="A device profile such as pi4, or one of your boards.", autocompletion=complete_place)
    ],
    as_json: JsonOption = False,
) -> None:
    """Show the data of a device profile or a board, with the sources."""
    from devices.boards.profiles import load_profile, profile_names
    from devices.boards.registry import BoardRegistry

    boards = {board.name: board for board in BoardRegistry().boards()}
    board = boards.get(name)
    if board is None and name not in profile_names():
        board = BoardRegistry().get(name)  # says which there are
    profile = load_profile(board.profile if board else name)
    document = {"device": profile.to_dict(), "board": board.to_dict() if board else None}

    def render(console: Console) -> None:
        lines: list[tuple[str, str]] = []
        if board is not None:
            for key, value in board.to_dict().items():
                if value is not None:
                    lines.append((f"board {key.replace('_', ' ')}", str(value)))
        facts = profile.to_dict()
        for key, value in {**facts, **{f"cpu {k}": v for k, v in facts["cpu"].items()}}.items():
            if value not in (None, [], ()) and not isinstance(value, dict | list):
                lines.append((key.replace("_", " "), str(value)))
        if profile.emulation:
            emulation_note = f" ({profile.emulation.note})" if profile.emulation.note else ""
            lines.append(("emulated as", profile.emulation.cpu + emulation_note))
        lines += [("source", source) for source in profile.sources]
        print_facts(console, lines)

    emit("device", document, as_json, render)


def add(
    *,
    name: Annotated[str, typer.Argument(help="The name by which commands will know the board.")],
    profile: Profile,
    host: Annotated[
        str, typer.Option("--host", help="SSH address: user@address[:port], a Host of ~/.ssh/config, or 'emulated'.")
    ],
    fingerprint: Fingerprint = None,
    identity: Annotated[
        Path | None,
        typer.Option("--identity", help="Private key file. Default: the keys of the SSH agent and the usual files."),
    ] = None,
    jump: Annotated[
        str | None, typer.Option("--jump", help="Jump host for the SSH connection: user@host[:port].")
    ] = None,
    python: Annotated[
        str | None, typer.Option("--python", help="Path of the Python interpreter to use on the board.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a board of your own. The board itself is not contacted.

    Later commands check its host key as ssh does: against your known_hosts, or, with --fingerprint, against that key only.
    """
    from devices.boards.registry import Board, BoardRegistry
    from devices.boards.trust import pinned

    registry = BoardRegistry()
    file = str(identity.expanduser().resolve()) if identity else None
    board = Board(name=name, profile=profile, host=host, identity=file, jump=jump, python=python)
    registry.check_free(name)
    if fingerprint:
        board = pinned(board, fingerprint)
    registry.add(board)
    emit("board", {"board": board.to_dict()}, as_json, lambda console: console.print(f"Added {name}."))
    if not board.emulated:
        err_console().print(f"Look at it with: eamdeploy devices check {name}")


def trust(
    name: BoardName,
    fingerprint: Annotated[
        str,
        typer.Option(
            "--fingerprint",
            help="SHA256:... fingerprint of the board's host key. Read it on the board: ssh-keygen -lf "
            "/etc/ssh/ssh_host_ed25519_key.pub",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Trust a board's host key from now on, if the board presents it."""
    from devices.boards.registry import BoardRegistry
    from devices.boards.trust import pinned

    registry = BoardRegistry()
    board = pinned(registry.get(name), fingerprint)
    registry.add(board, replace_existing=True)
    emit("board", {"board": board.to_dict()}, as_json, lambda console: console.print(f"{name}: host key accepted."))


def remove(name: BoardName, as_json: JsonOption = False) -> None:
    """Remove a board from the list. The board itself is not contacted."""
    from devices.boards.registry import BoardRegistry

    board = BoardRegistry().remove(name)
    emit("board", {"removed": board.to_dict()}, as_json, lambda console: console.print(f"Removed {name}."))
