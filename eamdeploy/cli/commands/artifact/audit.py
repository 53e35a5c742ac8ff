"""``eamdeploy audit``: is another converter's file the same function as its network, and if not, where does it go wrong?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import eamdeploy
from eamdeploy.base.errors import ParityError
from eamdeploy.cli.options.common import DataOption, JsonOption
from eamdeploy.cli.options.completion import complete_artifact


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit", rich_help_panel="Artifacts", no_args_is_help=True)(audit_command)


def audit_command(
    *,
    artifact: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A file from any converter: .onnx, .tflite, .param, .mnn.",
            autocompletion=complete_artifact,
        ),
    ],
    against: Annotated[
        str, typer.Option("--against", metavar="CKPT", help="The network's checkpoint, by path or shipped name.")
    ],
    data: DataOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the part of a wrong file.")] = Path(),
    limit: Annotated[int, typer.Option("--limit", min=1, help="Images, balanced over the classes.")] = 100,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of the runtime and of PyTorch.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Hold a file that any converter made (pnnx, mnnconvert, onnx2tf, torch.onnx) against its network, on real images.

    Of a wrong file, the first layer and the first operator to go wrong are named, and the operators between right
    tensors and the first wrong one are written as a file of their own, with their values, to attach to a bug report.
    Exit code 3: it is not the same function.
    """
    from eamdeploy.cli.views.output import emit, progress

    with progress() as bars:
        task = bars.add_task("auditing", total=None, note="")

        def tell(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total, note=artifact.name)

        report = eamdeploy.audit(artifact, against, data=data, out=out, limit=limit, threads=threads, progress=tell)

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
