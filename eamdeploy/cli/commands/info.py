"""``eamdeploy info``: what a bug report needs."""

from __future__ import annotations

import typer
from rich.console import Console

import eamdeploy
from eamdeploy.cli.options import config
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.views.output import emit, print_facts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("info", rich_help_panel="Start here")(info_command)


def info_command(as_json: JsonOption = False) -> None:
    """Show versions, runtimes, CPU features, paths and settings, for a bug report."""
    from eamdeploy.base.results import to_dict

    environment = eamdeploy.info(tuple(str(path) for path, _ in config.sources()))

    def render(console: Console) -> None:
        installed = ", ".join(f"{name} {version}" for name, version in environment.packages.items() if version)
        absent = ", ".join(name for name, version in environment.packages.items() if not version)
        print_facts(
            console,
            [
                ("eamdeploy", environment.version),
                ("Python", environment.python),
                ("system", environment.system),
                (
                    "CPU",
                    f"{environment.cpu or 'unknown'}: {', '.join(environment.cpu_features) or 'no known features'}",
                ),
                *((f"runtime {name}", version or "not installed") for name, version in environment.runtimes.items()),
                ("installed", installed),
                ("not installed", absent),
                *((f"path of {name}", path) for name, path in environment.paths.items()),
                *((name, value) for name, value in environment.variables.items()),
                ("settings from", ", ".join(environment.settings_files) or "no settings file"),
            ],
        )

    emit("info", to_dict(environment), as_json, render)
