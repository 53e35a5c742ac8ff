"""``eamdeploy models``: the shipped checkpoints."""

from __future__ import annotations

import typer
from rich.console import Console

from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.views.output import emit, make_table


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Start here")
    def models(as_json: JsonOption = False) -> None:
        """List the shipped checkpoints. Every command that takes a checkpoint also takes these names."""
        from eamdeploy.networks.zoo.catalogue import list_models

        models = list_models()

        def render(console: Console) -> None:
            table = make_table("name", "data", ">top-1 %", ">bytes")
            for model in models:
                table.add_row(model.name, model.data, f"{model.top1:.2f}", f"{model.bytes:,}")
            console.print(table)

        emit("models", {"models": [vars(model) for model in models]}, as_json, render)
