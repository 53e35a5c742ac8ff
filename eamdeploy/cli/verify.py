"""``eamdeploy verify``: is an artifact the same function as its checkpoint?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eamdeploy.cli.completion import complete_artifact
from eamdeploy.cli.options import DataOption, JsonOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", rich_help_panel="Artifacts", no_args_is_help=True)(verify_command)


def verify_command(
    artifacts: Annotated[
        list[Path],
        typer.Argument(metavar="ARTIFACT...", help=".onnx and .tflite files.", autocompletion=complete_artifact),
    ],
    against: Annotated[str, typer.Option("--against", metavar="CKPT", help="The checkpoint, by path or shipped name.")],
    data: DataOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Images, balanced over the classes.")] = 100,
    runtime: Annotated[
        str | None, typer.Option("--runtime", help="onnxruntime or litert; left out: the one for each file.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of the runtime and of PyTorch.")] = 1,
    random: Annotated[int, typer.Option("--random", min=0, help="Also try so many images of noise.")] = 0,
    factor: Annotated[
        float, typer.Option("--factor", help="An exact artifact may differ by this many times the network's rounding.")
    ] = 16.0,
    min_snr: Annotated[
        float, typer.Option("--min-snr", help="Of quantized artifacts: least signal-to-noise ratio, in dB.")
    ] = 10.0,
    min_agreement: Annotated[
        float, typer.Option("--min-agreement", help="Of quantized artifacts: least share of unchanged classes, 0 to 1.")
    ] = 0.9,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file.")] = None,
    sarif: Annotated[Path | None, typer.Option("--sarif", help="Write SARIF to this file.")] = None,
    summary: Annotated[
        bool, typer.Option("--summary/--no-summary", help="Append to GitHub's step summary where there is one.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Compare artifacts with their checkpoint on real images; exit 3 when one is not the same function.

    The tolerance is the rounding of the network itself, measured against a float64 run. Of an artifact that differs,
    the first layer to differ is named. Without --data the embedded sample serves any network: labels do not matter.
    """
    from eamdeploy.cli.output import emit, progress
    from eamdeploy.cli.verify_view import render, write_findings
    from eamdeploy.data import open_images
    from eamdeploy.networks.checkpoint import load_checkpoint
    from eamdeploy.parity import ParityLimits, verify

    limits = ParityLimits(factor, min_snr, min_agreement)
    checkpoint = load_checkpoint(against)
    dataset = None if data is None else open_images(data, checkpoint.classes)
    with progress() as bars:
        task = bars.add_task("verifying", total=None, note="")
        reports = verify(
            artifacts,
            checkpoint,
            dataset,
            limit=limit,
            runtime=runtime,
            threads=threads,
            limits=limits,
            random_images=random,
            progress=lambda name, done, total: bars.update(task, completed=done, total=total, note=name),
        )
    write_findings(reports, junit, sarif, summary)
    failed = [report for report in reports if not report.passed]
    found = next((report.first_divergence for report in failed if report.first_divergence), None)
    document = {
        "verdict": "failed" if failed else "passed",
        "checks": [check.to_dict() for report in reports for check in report.checks],
        "first_divergence": None if found is None else vars(found),
        "artifacts": [report.to_dict() for report in reports],
    }
    emit("verify", document, as_json, lambda console: render(reports, console))
    if failed:
        from eamdeploy.errors import ParityError

        first = failed[0]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise ParityError(f"{first.artifact}{more} is {first.sentence}")
