"""``eamdeploy predict``: classify pictures with an artifact alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import eamdeploy
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.completion import complete_artifact
from eamdeploy.cli.options.foreign import ForeignOptions
from eamdeploy.cli.options.group import expand_groups


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict", rich_help_panel="Artifacts", no_args_is_help=True)(predict_command)


@expand_groups
def predict_command(
    *,
    artifact: Annotated[
        Path,
        typer.Argument(
            metavar="ARTIFACT", help="An .onnx, .tflite, .param or .mnn file.", autocompletion=complete_artifact
        ),
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Images to classify.")],
    top: Annotated[int, typer.Option("--top", min=1, help="Number of classes to show per image.")] = 5,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime",
            help="Runtime that executes the model: onnxruntime, litert, ncnn or mnn. Default: the one for the file.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Number of threads of the runtime.")] = 1,
    foreign: ForeignOptions,
    as_json: JsonOption = False,
) -> None:
    """Classify images with an exported file. This needs numpy, Pillow and one runtime, but not PyTorch."""
    from eamdeploy.base.results import to_dict
    from eamdeploy.cli.views.output import emit, err_console, make_table

    predictions = eamdeploy.predict(
        artifact, images, top=top, runtime=runtime, threads=threads,
        **foreign.keywords(),
    )  # fmt: skip

    turned = [prediction.image for prediction in predictions if prediction.turned]
    if turned:
        what = "carry an EXIF orientation, which is ignored"
        err_console().print(f"note: {len(turned)} of {len(predictions)} pictures {what}: {turned[0]}", markup=False)

    def render(console: Console) -> None:
        table = make_table("image", "class", ">probability %", ">score")
        for prediction in predictions:
            for position, row in enumerate(prediction.top):
                name = prediction.image if position == 0 else ""
                percent = "–" if row.probability is None else f"{100 * row.probability:.2f}"
                table.add_row(name, row.label, percent, f"{row.score:.3f}")
        console.print(table)

    emit("predict", {"artifact": str(artifact), "predictions": [to_dict(row) for row in predictions]}, as_json, render)
