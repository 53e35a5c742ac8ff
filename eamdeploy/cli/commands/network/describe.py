"""``eamdeploy describe``: what a network costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import eamdeploy
from eamdeploy.base.errors import UsageError
from eamdeploy.cli.options.arch import PANEL, OptionalArchitecture
from eamdeploy.cli.options.common import JsonOption, LimitOption
from eamdeploy.cli.options.group import expand_groups
from eamdeploy.cli.views.output import emit, make_table

if TYPE_CHECKING:
    from rich.console import Console

    from eamdeploy.networks.complexity import Complexity


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Networks")
    @expand_groups
    def describe(
        *,
        architecture: OptionalArchitecture,
        checkpoint: Annotated[
            str | None,
            typer.Argument(
                metavar="[CKPT]",
                help="Path of a checkpoint, or the name of a shipped one. Leave it out if you give --arch.",
            ),
        ] = None,
        classes: Annotated[
            int,
            typer.Option(
                "--classes", help="Number of classes of the network described by --arch.", rich_help_panel=PANEL
            ),
        ] = 1000,
        input_px: Annotated[
            int, typer.Option("--input", help="Side of the input image, in pixels, for --arch.", rich_help_panel=PANEL)
        ] = 224,
        in_channels: Annotated[
            int,
            typer.Option(
                "--in-channels",
                help="Channels of the input image for --arch: 3 for RGB, 1 for grey.",
                rich_help_panel=PANEL,
            ),
        ] = 3,
        paper: Annotated[
            bool, typer.Option("--paper-table", help="Show the paper's table 2 beside our own counts.")
        ] = False,
        attention: Annotated[
            Path | None,
            typer.Option(
                "--attention", help="Measure on these images how much each layer's kernel mix varies between images."
            ),
        ] = None,
        limit: LimitOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Count the parameters and multiply-accumulates of a network, in total and per layer."""
        if paper:
            _paper(as_json)
            return
        if attention is not None:
            if checkpoint is None:
                raise UsageError("--attention needs a checkpoint")
            from eamdeploy.cli.commands.network.attention import show_attention

            show_attention(checkpoint, attention, limit, as_json)
            return
        if (checkpoint is None) == (architecture.arch is None):
            raise UsageError("give either a checkpoint or --arch", hint="e.g. eamdeploy describe --arch mobilenet_v1")
        if checkpoint is not None:
            network = eamdeploy.load(checkpoint)
            name, spec_document = network.spec.name, network.spec.to_dict()
            counted = eamdeploy.describe(network)
        else:
            spec = architecture.spec(classes=classes, input_px=input_px, in_channels=in_channels)
            name, spec_document = spec.name, spec.to_dict()
            counted = eamdeploy.describe(spec)
        document = {"architecture": spec_document, **counted.to_dict()}
        emit("describe", document, as_json, lambda console: _render(console, name, counted))


def _millions(value: float) -> str:
    return f"{value / 1e6:.3f}" if value else "-"


def _render(console: Console, name: str, counted: Complexity) -> None:
    macs = counted.macs
    console.print(f"{name}: {counted.parameters / 1e6:.3f} M parameters ({counted.bytes / 1e6:.1f} MB in float32)")
    parts = ", ".join(
        f"{part} {_millions(value)}" for part, value in macs.to_dict().items() if part != "total" and value
    )
    console.print(f"{macs.total / 1e6:.1f} M multiply-accumulates: {parts}\nPer layer, in millions:")
    # columns that fit a terminal of 80 (what aggregates is dynamic); the JSON has full names, kinds and both shapes
    table = make_table("layer", "kind?", ">output?", ">params", ">conv", ">aggr.??", ">att.??", ">other??")
    for layer in counted.layers:
        part = layer.macs
        table.add_row(
            layer.name.removesuffix(".conv"),
            layer.kind.removeprefix("dynamic "),
            "x".join(map(str, layer.output)),
            f"{layer.parameters:,}",
            _millions(part.convolution),
            _millions(part.aggregation),
            _millions(part.attention),
            _millions(part.gate + part.classifier),
        )
    console.print(table)


def _paper(as_json: bool) -> None:
    from eamdeploy.networks.architectures.paper import paper_table

    rows = paper_table()

    def render(console: Console) -> None:
        table = make_table("network", ">parameters M", ">paper", ">MACs M", ">paper")
        for row in rows:
            table.add_row(
                row.network,
                f"{row.parameters:.3f}",
                f"{row.paper_parameters:.2f}",
                f"{row.macs:.1f}",
                f"{row.paper_macs:.2f}",
            )
        console.print(table)
        console.print("The paper does not give its counting rule; see eamdeploy/networks/complexity.py for ours.")

    emit("paper-table", {"rows": [vars(row) for row in rows]}, as_json, render)
