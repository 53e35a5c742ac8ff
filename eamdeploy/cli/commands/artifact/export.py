"""``eamdeploy export``: a checkpoint becomes verified artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

import eamdeploy
from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import Progress
from eamdeploy.cli.options import quantize as q
from eamdeploy.cli.options.choices import CostName
from eamdeploy.cli.options.common import CheckpointArgument, DataOption, JsonOption
from eamdeploy.cli.options.completion_devices import complete_board, complete_profile
from eamdeploy.cli.options.group import expand_groups
from eamdeploy.cli.progress import StageLines
from eamdeploy.cli.views.artifacts import failures_of, made_and_failed
from eamdeploy.cli.views.budget import render_budget
from eamdeploy.cli.views.output import emit, make_table

if TYPE_CHECKING:
    from eamdeploy.pipeline.export import ExportedArtifact
    from eamdeploy.pipeline.quantize.options import QuantizedArtifact
    from export.planning.plan import CostModel


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export", rich_help_panel="Artifacts", no_args_is_help=True)(export_command)


@expand_groups
def export_command(
    *,
    checkpoint: CheckpointArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder for the artifacts and their manifest.")] = Path(),
    formats: Annotated[
        str, typer.Option("--format", help="File formats, separated by commas: onnx, tflite, ncnn, mnn, or all.")
    ] = "onnx",
    precision: Annotated[
        str, typer.Option("--precision", help="Number formats, separated by commas: fp32, fp16, int8, int8-weights.")
    ] = "fp32",
    lowering: Annotated[
        str,
        typer.Option(
            "--lowering",
            help="How dynamic layers become operators of the runtime: auto, one form for all layers "
            "(aggregate, matmul, experts, ...), or LAYER=FORM separated by commas.",
        ),
    ] = "auto",
    batch: Annotated[
        str, typer.Option("--batch", help="Images per inference: a number, or `dynamic` (ONNX only).")
    ] = "1",
    opset: Annotated[int, typer.Option("--opset", min=18, help="ONNX opset version.")] = 20,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            envvar="EAMDEPLOY_DEVICE",
            autocompletion=complete_profile,
            help="Optimize for this device profile, such as pi4, or for one of your boards. `host` "
            "optimizes for this machine only; the file may not run on others. Default: operators that"
            " run everywhere.",
        ),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Choose the form of each layer by timing all forms, on your board or on this machine."
        ),
    ] = False,
    board: Annotated[
        str | None, typer.Option("--board", help="Board to run --measure on.", autocompletion=complete_board)
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Number of threads to optimize for.")] = 1,
    constant_weights: Annotated[
        bool,
        typer.Option(
            "--constant-weights",
            help="Use only operators with constant weights, as RKNN, Core ML and many NPUs require.",
        ),
    ] = False,
    simplify: Annotated[
        bool, typer.Option("--simplify/--no-simplify", help="Simplify the ONNX graph with onnxsim.")
    ] = True,
    name: Annotated[
        str | None,
        typer.Option("--name", help="File name of the artifacts, without suffix. Default: the checkpoint's name."),
    ] = None,
    budget: Annotated[
        float,
        typer.Option(
            "--budget",
            min=0,
            max=100,
            help="Points of top-1 accuracy that export may give up for a faster or smaller network. 0 "
            "keeps every layer exact.",
        ),
    ] = 0.0,
    minimize: Annotated[CostName, typer.Option("--minimize", help="Cost that --budget reduces.")] = "latency",
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            help="Labelled images for int8 calibration and for --budget. Without --data, a separate part "
            "of them is used to check the result.",
        ),
    ] = None,
    finetune: Annotated[
        int,
        typer.Option(
            "--finetune", min=0, help="Number of epochs to train the network again after --budget changed it."
        ),
    ] = 0,
    quantization: q.QuantizationFlags,
    data: DataOption = None,
    images: Annotated[
        int, typer.Option("--limit", min=1, help="Number of images to verify on, balanced over the classes.")
    ] = 100,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", help="Show the form chosen for every layer, the reasons, and the forms that were rejected."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Export a checkpoint to files for a runtime, and verify them on real images.

    Export rewrites each dynamic layer into operators that the runtime supports, and runs every file on real images. If the
    scores or the mixing weights differ from the checkpoint by more than rounding, export exits with 3, names the first
    layer that differs, and writes no file under the final name.

    With --budget P export also simplifies layers, as far as top-1 accuracy drops by at most P points. It searches on the
    --calibration images, confirms the result on other images, and writes the simplified checkpoint beside the files.
    """
    lowering_choice = _lowering(lowering)
    size: int | Literal["dynamic"] = "dynamic" if batch == "dynamic" else _number(batch)
    from eamdeploy.pipeline.export import ExportOptions

    mapping = q.class_map_of(quantization.class_map)
    progress = StageLines(ending=" …")

    from devices.boards.registry import BoardRegistry
    from devices.session.opening import board_called

    if board is not None:
        if not measure:
            hint = "add --measure, or leave it out"
            raise UsageError("a board is only needed to measure on", where="--board", hint=hint)
        device = device or BoardRegistry().get(board).profile
    if (called := board_called(BoardRegistry(), device)) is not None:
        device, board = called.profile, (board or called.name) if measure else None
    if finetune and not budget:
        why = "without a budget nothing is rewritten that could be trained"
        raise UsageError(why, where="--finetune", hint="give --budget")
    options = ExportOptions(
        lowering=lowering_choice,
        batch=size,
        opset=opset,
        threads=threads,
        simplify=simplify,
        name=name,
        images=images,
        constant_weights=constant_weights,
    )
    with _costs(measure, device, board, progress) as costs:
        artifacts, failed = made_and_failed(
            lambda: eamdeploy.export(
                checkpoint,
                out,
                formats=q.names(formats),
                precisions=q.names(precision),
                calibration=calibration,
                data=data,
                budget=budget,
                minimize=minimize,
                finetune_epochs=finetune,
                device=device,
                options=replace(options, costs=costs),
                quantization=quantization.options(),
                class_map=mapping,
                progress=progress,
            )
        )
    document = {"artifacts": [artifact.to_dict() for artifact in artifacts], **failures_of(failed)}
    emit("export", document, as_json, lambda c: _render(artifacts, c, verbose=verbose))
    if failed is not None:
        raise failed


def _costs(
    measure: bool, device: str | None, board: str | None, progress: Progress
) -> AbstractContextManager[CostModel | None]:
    if not measure:
        return nullcontext()
    from eamdeploy.measurement.layer_timing import planning_costs

    return planning_costs(device, board, progress)


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


def _render(artifacts: Sequence[ExportedArtifact | QuantizedArtifact], console: Console, *, verbose: bool) -> None:
    from eamdeploy.pipeline.quantize.options import QuantizedArtifact

    first = artifacts[0]
    if not isinstance(first, QuantizedArtifact) and first.budget is not None:
        render_budget(first.budget, console)
    for artifact in artifacts:
        if isinstance(artifact, QuantizedArtifact):
            q.render_quantized(artifact, console)
            continue
        if verbose and artifact.plan.layers:
            _render_plan(artifact, console)
        for note in artifact.notes if verbose else ():
            console.print(f"  {note}", style="dim", soft_wrap=True)
        console.print(
            Text.assemble(
                ("verified", "green"),
                f" {artifact.path}  {artifact.bytes / 1e6:.2f} MB  {artifact.parity.sentence}",
            ),
            soft_wrap=True,
        )
    console.print(f"manifest {artifacts[-1].manifest}", soft_wrap=True)


def _render_plan(artifact: ExportedArtifact, console: Console) -> None:
    table = make_table("layer", "kind?", ">map??", "lowering", ">ms?", title=f"plan for {artifact.path.name}")
    for entry in artifact.plan.layers:
        cost = entry.measured_ms.get(entry.lowering, entry.predicted_ms)
        height, width = entry.input_hw
        cost_text = "" if cost is None else f"{cost:.3f}"
        table.add_row(entry.layer, entry.kind, f"{height}x{width}", entry.lowering, cost_text)
    console.print(table)
    for form, kind, why in dict.fromkeys((e.lowering, e.kind, e.reason) for e in artifact.plan.layers):
        console.print(f"  {form} for {kind} layers: {why}", style="dim", soft_wrap=True)
    refused = {
        (refusal.lowering, entry.kind): refusal.reason for entry in artifact.plan.layers for refusal in entry.refusals
    }
    for (form, kind), reason in refused.items():
        console.print(f"  {form} does not serve {kind} layers: {reason}", style="dim", soft_wrap=True)
