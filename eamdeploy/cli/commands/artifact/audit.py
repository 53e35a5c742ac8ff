"""``eamdeploy audit``: is another converter's file the same function as its network, and if not, where does it go wrong?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import eamdeploy
from eamdeploy.base.errors import ParityError
from eamdeploy.cli.options.common import DataOption, JsonOption
from eamdeploy.cli.options.completion import complete_artifact
from eamdeploy.cli.options.foreign import HeadOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit", rich_help_panel="Artifacts", no_args_is_help=True)(audit_command)


def audit_command(
    *,
    artifact: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A file from any converter: .onnx, .tflite, .param or .mnn.",
            autocompletion=complete_artifact,
        ),
    ],
    against: Annotated[
        str, typer.Option("--against", metavar="CKPT", help="The network's checkpoint, by path or shipped name.")
    ],
    data: DataOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the extracted part of a wrong file.")] = Path(),
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Number of images to compare on, balanced over the classes.")
    ] = 100,
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="Number of threads of the runtime and of PyTorch.")
    ] = 1,
    head: HeadOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a file from another converter (pnnx, mnnconvert, onnx2tf, torch.onnx) against its network.

    If the file is wrong, audit exits with 3 and names the first layer and the first operator that are wrong. It writes
    those operators with their values as a small file, which you can attach to a bug report.
    """
    from eamdeploy.cli.progress import CountBar
    from eamdeploy.cli.views.output import emit

    with CountBar("auditing", artifact.name) as progress:
        report = eamdeploy.audit(
            artifact, against, data=data, out=out, limit=limit, threads=threads, head=head, progress=progress
        )

    def render(console: object) -> None:
        from rich.console import Console

        if isinstance(console, Console):
            console.print(f"{artifact} is {report.sentence}")
            if report.part_file is not None:
                console.print(f"part  {report.part_file}")
            if report.values_file is not None:
                console.print(f"values  {report.values_file}")

    emit("audit", report.to_dict(), as_json, render)
    if not report.passed:
        raise ParityError(f"{artifact} is {report.parity.sentence}")
