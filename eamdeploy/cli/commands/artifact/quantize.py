"""``eamdeploy quantize``: a float artifact, or a checkpoint, becomes a smaller and faster one that is proven on real images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.options import quantize as q
from eamdeploy.cli.options.common import DataOption, JsonOption
from eamdeploy.cli.options.foreign import HeadOption, LabelsOption, PreprocessingOption, said_card
from eamdeploy.cli.views.output import emit, err_console

if TYPE_CHECKING:
    from eamdeploy.pipeline.export import ExportedArtifact
    from eamdeploy.pipeline.quantize.run import QuantizedArtifact


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("quantize", rich_help_panel="Artifacts", no_args_is_help=True)(quantize_command)


def quantize_command(
    model: Annotated[
        str,
        typer.Argument(metavar="ARTIFACT|CKPT", help="A float .onnx or .tflite file, a checkpoint, or a shipped name."),
    ],
    precision: Annotated[
        str, typer.Option("--precision", help="int8, fp16, int8-weights, or several with commas.")
    ] = "int8",
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", help="Images that set the ranges: a tree with a folder per class, ..."),
    ] = None,
    data: DataOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the result. Default: the artifact's.")] = None,
    formats: Annotated[
        str, typer.Option("--format", help="Of a checkpoint: onnx, tflite, or both with a comma.")
    ] = "onnx",
    max_drop: q.MaxDrop = 1.0,
    method: q.Method = "mse",
    calibration_images: q.CalibrationImages = 256,
    check_images: q.CheckImages = 1000,
    float_layers: q.FloatLayers = "",
    class_map: q.ClassMap = None,
    preprocessing: PreprocessingOption = None,
    labels: LabelsOption = None,
    head: HeadOption = None,
    as_json: JsonOption = False,
) -> None:
    """Quantize a model, and load, run and measure the result on real images before it gets its name.

    Ends with 3 when the result does not load, does not shrink, or loses more than --max-drop points of top-1 even with layers in
    float. Writes NAME-PRECISION beside the artifact (or in --out) and an entry in the manifest.
    """
    precisions = q.names(precision)
    from eamdeploy.inference.model_card import is_artifact

    shown = err_console()

    def say(line: str) -> None:
        shown.print(f"{line} …", style="dim")

    made: list[QuantizedArtifact | ExportedArtifact] = []
    if is_artifact(model):
        from dataclasses import replace

        from eamdeploy.inference.foreign import artifact_card
        from eamdeploy.pipeline.quantize.run import check_precisions, quantize_artifact

        check_precisions(precisions)
        source = Path(model)
        card = artifact_card(source, preprocessing, labels, head)
        request = q.make_request(
            calibration, data, card.classes, max_drop, method, calibration_images, check_images, float_layers, class_map
        )
        folder = out or source.parent
        if folder.exists() and not folder.is_dir():
            raise UsageError("the output folder is a file", where=folder, hint="choose another --out")
        made.extend(
            quantize_artifact(
                source,
                folder / f"{source.stem}-{name}{source.suffix.lower()}",
                replace(request.options, precision=name),
                card=card,
                calibration=request.calibration,
                check=request.check,
                class_map=request.class_map,
                manifest_name=source.stem,
                say=say,
            )
            for name in precisions
        )
    else:
        from eamdeploy.networks.checkpoint import load_checkpoint
        from eamdeploy.pipeline.export import ExportOptions, export_checkpoint

        said_card(model, preprocessing, labels, head)
        loaded = load_checkpoint(model)
        request = q.make_request(
            calibration,
            data,
            loaded.classes,
            max_drop,
            method,
            calibration_images,
            check_images,
            float_layers,
            class_map,
        )
        options = ExportOptions(formats=q.names(formats), precisions=precisions, quantization=request)
        made.extend(
            export_checkpoint(loaded, out or Path(), options, dataset=request.check or request.calibration, say=say)
        )
    emit("quantize", {"artifacts": [artifact.to_dict() for artifact in made]}, as_json, lambda c: _render(made, c))


def _render(made: list[QuantizedArtifact | ExportedArtifact], console: Console) -> None:
    from eamdeploy.pipeline.quantize.run import QuantizedArtifact

    for artifact in made:
        if isinstance(artifact, QuantizedArtifact):
            q.render_quantized(artifact, console)
        else:
            console.print(f"[green]verified[/] {artifact.path}  {artifact.bytes / 1e6:.2f} MB", soft_wrap=True)
    if made:
        console.print(f"manifest {made[-1].manifest}", soft_wrap=True)
