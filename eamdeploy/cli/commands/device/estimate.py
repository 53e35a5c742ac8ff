"""``eamdeploy estimate``: latency without the board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import eamdeploy
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.views.output import emit, make_table


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Boards")
    def estimate(
        artifact: Annotated[Path, typer.Argument(help="A file: .onnx, .tflite, .ncnn.param, .mnn.")],
        device: Annotated[
            str | None, typer.Option("--device", help="A profile such as pi4, or a board you calibrated.")
        ] = None,
        all_devices: Annotated[
            bool, typer.Option("--all-devices", help="Every profile, and every board you calibrated.")
        ] = False,
        runtime: Annotated[
            str | None,
            typer.Option("--runtime", help="litert, onnxruntime, ncnn, armnn or tengine; the file's own by default."),
        ] = None,
        precision: Annotated[
            str | None, typer.Option("--precision", help="fp32, fp16 or int8; the file's own by default.")
        ] = None,
        threads: Annotated[
            int | None,
            typer.Option(
                "--threads", min=1, help="Threads of the runtime. Default: as in the measurements behind the estimate."
            ),
        ] = None,
        layers: Annotated[bool, typer.Option("--layers", help="Show every layer.")] = False,
        as_json: JsonOption = False,
    ) -> None:
        """Estimate the latency of an artifact on a board that is not here, with a 90 % interval.

        The estimate comes from published measurements of other networks on that board, or from your own
        (devices calibrate).
        """
        from eamdeploy.base.errors import MissingDependency, UsageError

        if all_devices == (device is not None):
            raise UsageError("give either --device or --all-devices", hint="e.g. --device pi4")
        found = eamdeploy.estimate(artifact, device, runtime=runtime, precision=precision, threads=threads)
        document = {"artifact": str(artifact), "estimates": [e.to_dict() for e in found]}
        emit(
            "estimate",
            document,
            as_json,
            lambda console: _render(console, found, single=device is not None, layers=layers),
        )
        if all(e.p50_ms is None for e in found):
            hint = "measure two networks on such a board, then: eamdeploy devices calibrate"
            raise MissingDependency(
                "no calibration is close enough for an estimate", where=device, why=found[0].notes[0], hint=hint
            )


def _render(console: Console, found: list[Any], *, single: bool, layers: bool) -> None:
    table = make_table("device", "runtime?", "precision?", ">p50 ms", ">90 % interval ms", "calibration??")
    for e in found:
        if e.p50_ms is None:
            table.add_row(e.device, e.runtime, e.precision, "-", "-", "no estimate")
        else:
            low, high = e.interval90_ms
            table.add_row(
                e.device, e.runtime, e.precision, f"~{_ms(e.p50_ms)}", f"{_ms(low)} to {_ms(high)}", e.calibration_title
            )
    console.print(table)
    console.print("estimated by the latency model, not measured", style="dim")
    for note, names in _by_note(found).items():
        console.print(f"{', '.join(names)}: {note}", style="dim")
    if not single or found[0].p50_ms is None:
        return
    parts = make_table("where the time goes", ">ms", ">share")
    for part, value in found[0].parts_ms.items():
        if value > 0:
            parts.add_row(part, _ms(value), f"{100 * value / found[0].p50_ms:.0f} %")
    console.print()
    console.print(parts)
    if layers:
        each = make_table("layer", ">ms", ">MACs?", ">operators??", "largest part?")
        for layer in found[0].layers:
            largest = max(layer.parts_ms, key=lambda part: layer.parts_ms[part])
            each.add_row(layer.layer, _ms(layer.ms), f"{layer.macs:,}", str(layer.operators), largest)
        console.print()
        console.print(each)


def _by_note(found: list[Any]) -> dict[str, list[str]]:
    """Each note once, with the devices it holds for; where there is no estimate, the reason."""
    notes: dict[str, list[str]] = {}
    for e in found:
        for note in e.notes if e.p50_ms is not None else (f"no estimate: {e.notes[0]}",):
            notes.setdefault(note, []).append(e.device)
    return notes


def _ms(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
