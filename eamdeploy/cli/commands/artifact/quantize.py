"""``eamdeploy quantize``: a float artifact, or a checkpoint, becomes a smaller and faster one that is proven on real images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

import eamdeploy
from eamdeploy.cli.options import quantize as q
from eamdeploy.cli.options.common import DataOption, JsonOption
from eamdeploy.cli.options.foreign import ForeignOptions
from eamdeploy.cli.options.group import expand_groups
from eamdeploy.cli.progress import StageLines
from eamdeploy.cli.views.artifacts import failures_of, made_and_failed
from eamdeploy.cli.views.output import emit

if TYPE_CHECKING:
    from eamdeploy.pipeline.export import ExportedArtifact
    from eamdeploy.pipeline.quantize.options import QuantizedArtifact


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("quantize", rich_help_panel="Artifacts", no_args_is_help=True)(quantize_command)


@expand_groups
def quantize_command(
    *,
    model: Annotated[
        str,
        typer.Argument(
            metavar="ARTIFACT|CKPT",
            help="A float .onnx or .tflite file, the path of a checkpoint, or the name of a shipped one.",
        ),
    ],
    precision: Annotated[
        str, typer.Option("--precision", help="Number formats, separated by commas: int8, fp16, int8-weights.")
    ] = "int8",
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            help="Images from which the value ranges are derived: a folder with one folder per class, a "
            "cifar-*-py folder, or IDX files.",
        ),
    ] = None,
    data: DataOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the result. Default: the folder of the input file.")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="File formats if the input is a checkpoint, separated by commas: onnx, tflite. Default: onnx.",
        ),
    ] = None,
    quantization: q.QuantizationFlags,
    foreign: ForeignOptions,
    as_json: JsonOption = False,
) -> None:
    """Quantize a model, and check the result on real images.

    Quantize writes NAME-PRECISION beside the input (or in --out) and an entry in the manifest. It exits with 3 and writes
    nothing if the result does not load, does not shrink, or loses more than --max-drop points of top-1 accuracy.
    """
    artifacts, failed = made_and_failed(
        lambda: eamdeploy.quantize(
            model,
            out,
            precisions=q.names(precision),
            formats=None if formats is None else q.names(formats),
            calibration=calibration,
            data=data,
            options=quantization.options(),
            class_map=q.class_map_of(quantization.class_map),
            **foreign.keywords(),
            progress=StageLines(ending=" …"),
        )
    )
    document = {"artifacts": [artifact.to_dict() for artifact in artifacts], **failures_of(failed)}
    emit("quantize", document, as_json, lambda c: _render(artifacts, c))
    if failed is not None:
        raise failed


def _render(artifacts: Sequence[QuantizedArtifact | ExportedArtifact], console: Console) -> None:
    from eamdeploy.pipeline.quantize.options import QuantizedArtifact

    for artifact in artifacts:
        if isinstance(artifact, QuantizedArtifact):
            q.render_quantized(artifact, console)
        else:
            line = f" {artifact.path}  {artifact.bytes / 1e6:.2f} MB"
            console.print(Text.assemble(("verified", "green"), line), soft_wrap=True)
    if artifacts:
        console.print(f"manifest {artifacts[-1].manifest}", soft_wrap=True)
