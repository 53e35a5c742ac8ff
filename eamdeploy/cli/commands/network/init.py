"""``eamdeploy init``: a network with seeded random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eamdeploy.cli.options.arch import Architecture
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.group import expand_groups
from eamdeploy.cli.views.output import emit


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Networks")
    @expand_groups
    def init(
        *,
        out: Annotated[Path, typer.Option("--out", help="The checkpoint to write (.safetensors).")],
        architecture: Architecture,
        classes: Annotated[int, typer.Option("--classes", help="Number of classes.")] = 1000,
        input_px: Annotated[int, typer.Option("--input", help="Side of the input image, in pixels.")] = 224,
        in_channels: Annotated[
            int, typer.Option("--in-channels", help="Channels of the input image: 3 for RGB, 1 for grey.")
        ] = 3,
        as_json: JsonOption = False,
    ) -> None:
        """Write a network with random weights, for benchmarks and tests."""
        spec = architecture.spec(classes=classes, input_px=input_px, in_channels=in_channels,
        )  # fmt: skip
        from eamdeploy.networks.random_init import write_random

        written = write_random(spec, out)
        emit("init", {"checkpoint": str(written)}, as_json, lambda console: console.print(f"wrote {written}"))
