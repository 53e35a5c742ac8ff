"""``eamdeploy estimate``: latency without the board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import eamdeploy
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.views.estimate import show_estimates, show_ratios
from eamdeploy.cli.views.output import emit

HINT = "measure two networks on such a board, then: eamdeploy devices calibrate"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Boards and measurements")
    def estimate(
        *,
        artifact: Annotated[Path, typer.Argument(help="The file: .onnx, .tflite, .ncnn.param or .mnn.")],
        compare: Annotated[
            Path | None,
            typer.Option(
                "--compare", help="Estimate how many times slower or faster the file is than this second file."
            ),
        ] = None,
        device: Annotated[
            str | None, typer.Option("--device", help="A device profile such as pi4, or a board that you calibrated.")
        ] = None,
        all_devices: Annotated[
            bool,
            typer.Option("--all-devices", help="Estimate for every profile and for every board that you calibrated."),
        ] = False,
        runtime: Annotated[
            str | None,
            typer.Option(
                "--runtime",
                help="Runtime to estimate for: litert, onnxruntime, ncnn, mnn, executorch, openvino, ... "
                "Default: the one for the file.",
            ),
        ] = None,
        precision: Annotated[
            str | None,
            typer.Option(
                "--precision", help="Number format to estimate for: fp32, fp16 or int8. Default: the file's own."
            ),
        ] = None,
        threads: Annotated[
            int | None,
            typer.Option(
                "--threads",
                min=1,
                help="Number of threads of the runtime. Default: the number in the measurements behind the estimate.",
            ),
        ] = None,
        layers: Annotated[bool, typer.Option("--layers", help="Show the estimate of every layer.")] = False,
        as_json: JsonOption = False,
    ) -> None:
        """Estimate the latency of a file on a board that you do not have, with a 90 % interval.

        The estimate comes from published measurements of other networks on that board, or from your own runs
        (`eamdeploy devices calibrate`). The time of dynamic layers is derived from their instruction counts.
        """
        from eamdeploy.api.devices import estimate_ratio
        from eamdeploy.base.errors import MissingDependency, UsageError

        if all_devices == (device is not None):
            raise UsageError("give either --device or --all-devices", hint="e.g. --device pi4")
        if compare is not None:
            ratios = estimate_ratio(artifact, compare, device, runtime=runtime, precision=precision, threads=threads)
            ratio_document = {
                "artifact": str(artifact),
                "compared_with": str(compare),
                "ratios": [r.to_dict() for r in ratios],
            }
            emit("estimate", ratio_document, as_json, lambda console: show_ratios(console, ratios))
            if all(r.ratio is None for r in ratios):
                raise MissingDependency("no ratio can be estimated", where=device, why=ratios[0].notes[0], hint=HINT)
            return
        estimates = eamdeploy.estimate(artifact, device, runtime=runtime, precision=precision, threads=threads)
        document = {"artifact": str(artifact), "estimates": [e.to_dict() for e in estimates]}
        emit(
            "estimate",
            document,
            as_json,
            lambda console: show_estimates(console, estimates, single=device is not None, layers=layers),
        )
        if all(e.p50_ms is None for e in estimates):
            raise MissingDependency(
                "no calibration is close enough for an estimate", where=device, why=estimates[0].notes[0], hint=HINT
            )
