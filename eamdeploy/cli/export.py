"""``eamdeploy export``: a checkpoint becomes verified artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from eamdeploy.cli.options import CheckpointArgument, DataOption, JsonOption
from eamdeploy.cli.output import emit, err_console, make_table
from eamdeploy.errors import UsageError

if TYPE_CHECKING:
    from eamdeploy.exporting import ExportedArtifact


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export", rich_help_panel="Artifacts", no_args_is_help=True)(export_command)


def export_command(
    checkpoint: CheckpointArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder for the artifacts and their manifest.")] = Path(),
    formats: Annotated[str, typer.Option("--format", help="onnx, tflite, or both separated by a comma.")] = "onnx",
    lowering: Annotated[
        str,
        typer.Option(
            "--lowering", help="auto; one form wherever it serves: aggregate, matmul, experts, ...; or LAYER=FORM,..."
        ),
    ] = "auto",
    batch: Annotated[str, typer.Option("--batch", help="Images per call: a number, or dynamic (ONNX).")] = "1",
    opset: Annotated[int, typer.Option("--opset", min=18, help="ONNX opset.")] = 20,
    device: Annotated[
        str, typer.Option("--device", envvar="EAMDEPLOY_DEVICE", help="Plan for this profile, e.g. pi4.")
    ] = "host",
    threads: Annotated[int, typer.Option("--threads", min=1, help="Plan for this many threads.")] = 1,
    simplify: Annotated[bool, typer.Option("--simplify/--no-simplify", help="Let onnxsim try.")] = True,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the artifacts; left out: the checkpoint's.")
    ] = None,
    data: DataOption = None,
    images: Annotated[
        int, typer.Option("--limit", min=1, help="Images to verify on, balanced over the classes.")
    ] = 100,
    as_json: JsonOption = False,
) -> None:
    """Export a checkpoint to artifacts that are proven to be the same function, on real images.

    Each dynamic layer is rewritten into operators that the runtime has. An artifact gets its name only if its scores and
    mixing weights are the checkpoint's to within rounding; else the command ends with 3 and names the first layer that differs.
    """
    wanted = _lowering(lowering)
    size: int | Literal["dynamic"] = "dynamic" if batch == "dynamic" else _number(batch)
    from eamdeploy.data import open_dataset
    from eamdeploy.exporting import ExportOptions, export_checkpoint
    from eamdeploy.networks.checkpoint import load_checkpoint

    loaded = load_checkpoint(checkpoint)
    dataset = None if data is None else open_dataset(data, classes=loaded.classes)
    options = ExportOptions(
        formats=tuple(part.strip() for part in formats.split(",") if part.strip()),
        lowering=wanted,
        batch=size,
        opset=opset,
        device=device,
        threads=threads,
        simplify=simplify,
        name=name,
        images=images,
    )
    shown = err_console()
    artifacts = export_checkpoint(
        loaded, out, options, dataset=dataset, say=lambda line: shown.print(f"{line} …", style="dim")
    )
    emit(
        "export",
        {"artifacts": [artifact.to_dict() for artifact in artifacts]},
        as_json,
        lambda c: _render(artifacts, c),
    )


def _number(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"batch must be a positive number or 'dynamic', got '{text}'", where="--batch")
    return int(text)


def _lowering(text: str) -> str | dict[str, str]:
    if "=" not in text:
        return text
    pairs = [part.partition("=") for part in text.split(",")]
    if bad := [layer for layer, sign, form in pairs if not (layer and sign and form)]:
        raise UsageError(f"'{bad[0]}' is not LAYER=FORM", where="--lowering")
    return {layer.strip(): form.strip() for layer, _, form in pairs}


def _render(artifacts: Sequence[ExportedArtifact], console: Console) -> None:
    for artifact in artifacts:
        if artifact.plan.layers:
            table = make_table("layer", "kind", ">map", "lowering", ">ms", title=f"plan for {artifact.path.name}")
            for entry in artifact.plan.layers:
                cost = entry.measured_ms.get(entry.lowering, entry.predicted_ms)
                height, width = entry.input_hw
                shown = "" if cost is None else f"{cost:.3f}"
                table.add_row(entry.layer, entry.kind, f"{height}x{width}", entry.lowering, shown)
            console.print(table)
            for form, kind, why in dict.fromkeys((e.lowering, e.kind, e.reason) for e in artifact.plan.layers):
                console.print(f"  {form} for {kind} layers: {why}", style="dim", soft_wrap=True)
            refused = {
                (refusal.lowering, entry.kind): refusal.reason
                for entry in artifact.plan.layers
                for refusal in entry.refusals
            }
            for (form, kind), reason in refused.items():
                console.print(f"  {form} does not serve {kind} layers: {reason}", style="dim", soft_wrap=True)
        for note in artifact.notes:
            console.print(f"  {note}", style="dim", soft_wrap=True)
        console.print(
            f"[green]verified[/] {artifact.path}  {artifact.bytes / 1e6:.2f} MB  {artifact.parity.sentence}",
            soft_wrap=True,
        )
    console.print(f"manifest {artifacts[-1].manifest}", soft_wrap=True)
