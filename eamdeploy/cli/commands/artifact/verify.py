"""``eamdeploy verify``: is an artifact the same function as its checkpoint?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import eamdeploy
from eamdeploy.base.errors import ParityError
from eamdeploy.cli.options.common import DataOption, JsonOption
from eamdeploy.cli.options.completion import complete_artifact
from eamdeploy.cli.options.foreign import ForeignOptions
from eamdeploy.cli.options.group import expand_groups


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", rich_help_panel="Artifacts", no_args_is_help=True)(verify_command)


@expand_groups
def verify_command(
    *,
    artifacts: Annotated[
        list[Path],
        typer.Argument(
            metavar="ARTIFACT...",
            help="Files to check: .onnx, .tflite, .ncnn.param or .mnn.",
            autocompletion=complete_artifact,
        ),
    ],
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="CKPT|ARTIFACT",
            help="The reference: a checkpoint by path or shipped name, or a float artifact if there is no checkpoint.",
        ),
    ],
    data: DataOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Number of images to compare on, balanced over the classes.")
    ] = 100,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime",
            help="Runtime that executes the files: onnxruntime, litert, ncnn or mnn. Default: the one for each file.",
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="Number of threads of the runtime and of PyTorch.")
    ] = 1,
    random: Annotated[
        int, typer.Option("--random", min=0, help="Also compare on this many images of random noise.")
    ] = 0,
    factor: Annotated[
        float,
        typer.Option(
            "--factor", help="Tolerance for float artifacts, as a multiple of the network's own rounding error."
        ),
    ] = 16.0,
    min_snr: Annotated[
        float,
        typer.Option("--min-snr", help="Least signal-to-noise ratio of the scores of quantized artifacts, in dB."),
    ] = 10.0,
    min_agreement: Annotated[
        float,
        typer.Option(
            "--min-agreement",
            help="Least share of images whose top class stays the same in quantized artifacts, from 0 to 1.",
        ),
    ] = 0.9,
    foreign: ForeignOptions,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Also write the checks as JUnit XML to this file.")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option("--sarif", help="Also write the failed checks as SARIF to this file.")
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary/--no-summary", help="Append the checks to the job summary on GitHub Actions.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Check on real images that files compute the same function as their checkpoint.

    Verify exits with 3 if a file differs, and names the first layer that differs. The tolerance for float files is the
    rounding error of the network itself, measured against a float64 run. Without --data verify uses the 200 bundled images,
    whatever the classes are. If the reference is a file, --min-snr and --min-agreement decide.
    """
    from eamdeploy.cli.progress import CountBar
    from eamdeploy.cli.views.output import emit
    from eamdeploy.cli.views.verify import render, write_findings
    from eamdeploy.cli.views.written import after_verdict
    from eamdeploy.parity import ParityTolerance

    foreign_options = foreign.keywords()
    with CountBar("verifying") as progress:
        verdict = eamdeploy.verify(
            artifacts,
            against,
            data=data,
            limit=limit,
            runtime=runtime,
            threads=threads,
            random_images=random,
            limits=ParityTolerance(factor, min_snr, min_agreement),
            **foreign_options,
            progress=progress,
        )
    emit("verify", verdict.to_dict(), as_json, lambda console: render(verdict.reports, console))
    after_verdict(
        lambda: write_findings(verdict.reports, junit, sarif, summary), ParityError.exit_code if verdict.failed else 0
    )
    if verdict.failed:
        first = verdict.failed[0]
        more = f" (and {len(verdict.failed) - 1} more)" if len(verdict.failed) > 1 else ""
        raise ParityError(f"{first.artifact}{more} is {first.sentence}")
